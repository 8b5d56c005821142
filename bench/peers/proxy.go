package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/zdhost/zdhost/bench/servers"
)

// proxy is HAProxy or nginx before the naive server. Its upgrade is a reload with a changed configuration, and waits
// for nothing: neither of them says when it is done. The server behind it goes on.
type proxy struct {
	at        string
	front     *process
	behind    system
	configure func(release string) error
	reload    syscall.Signal
}

func (p *proxy) address() string { return p.at }
func (p *proxy) roots() []int    { return append([]int{p.front.pid()}, p.behind.roots()...) }
func (p *proxy) stop() error     { return errors.Join(p.front.stop(), p.behind.stop()) }

func (p *proxy) upgrade(_ context.Context, release string) error {
	if err := p.configure(release); err != nil {
		return err
	}
	return p.front.signal(p.reload)
}

const haproxyConfig = `global
    maxconn 4096
    hard-stop-after 10s
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    option http-keep-alive
    http-reuse always
frontend web
    bind %[2]s
    http-response set-header X-Release %[4]s
    default_backend naive
backend naive
    server naive %[3]s
`

const nginxConfig = `daemon off;
worker_processes 2;
pid %[1]s/nginx.pid;
error_log stderr;
events {
    worker_connections 4096;
}
http {
    client_body_temp_path %[1]s/body;
    proxy_temp_path %[1]s/proxy;
    fastcgi_temp_path %[1]s/fastcgi;
    uwsgi_temp_path %[1]s/uwsgi;
    scgi_temp_path %[1]s/scgi;
    access_log off;
    keepalive_requests 1000000;
    upstream naive {
        server %[3]s;
        keepalive 64;
        keepalive_requests 1000000;
    }
    server {
        listen %[2]s backlog=4096;
        location / {
            proxy_pass http://naive;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_hide_header X-Release;
            add_header X-Release %[4]s always;
        }
    }
}
`

// behindHAProxy has two threads, one process, and connections to the server that are kept and shared.
func behindHAProxy(ctx context.Context, w *workshop) (system, error) {
	return startProxy(ctx, w, "haproxy", haproxyConfig, syscall.SIGUSR2, func(_, file string) []string {
		return []string{w.haproxy, "-W", "-f", file}
	})
}

// behindNginx has two workers and keeps up to 64 connections to the server.
func behindNginx(ctx context.Context, w *workshop) (system, error) {
	return startProxy(ctx, w, "nginx", nginxConfig, syscall.SIGHUP, func(dir, file string) []string {
		return []string{w.nginx, "-e", "stderr", "-p", dir, "-c", file}
	})
}

// startProxy renders a configuration with the directory, the address, the server's address and the release.
func startProxy(ctx context.Context, w *workshop, name, config string, reload syscall.Signal, argv func(dir, file string) []string) (system, error) {
	dir, err := w.place()
	if err != nil {
		return nil, err
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	behind, err := bareNaive(ctx, w)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, name+".conf")
	p := &proxy{at: address, behind: behind, reload: reload, configure: func(release string) error {
		return os.WriteFile(file, fmt.Appendf(nil, config, dir, address, behind.address(), release), 0o644)
	}}
	if err := p.begin(ctx, name, servers.Command{Argv: argv(dir, file), Dir: dir}); err != nil {
		return nil, errors.Join(err, behind.stop())
	}
	return p, nil
}

func (p *proxy) begin(ctx context.Context, name string, c servers.Command) error {
	if err := p.configure(firstRelease); err != nil {
		return err
	}
	front, err := spawn(name, c)
	if err != nil {
		return err
	}
	p.front = front
	if _, err := firstAnswer(ctx, p.at, firstRelease, soon, front.ended); err != nil {
		return errors.Join(fmt.Errorf("%w; it said: %s", err, front.output.tail()), front.stop())
	}
	return nil
}

// nginxServer is the catalogue's nginx, which answers by itself. It has one release.
func nginxServer(ctx context.Context, w *workshop, address string) (recipe, error) {
	dir, err := w.place()
	if err != nil {
		return nil, err
	}
	s, err := servers.Named("nginx")
	if err != nil {
		return nil, err
	}
	c, err := s.Prepare(ctx, servers.Site{Dir: dir, Address: address, Release: firstRelease})
	if err != nil {
		return nil, err
	}
	return func(string) servers.Command { return c }, nil
}

func needsHAProxy(w *workshop) string { return w.haproxy }
func needsNginx(w *workshop) string   { return w.nginx }
