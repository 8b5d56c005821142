package servers

import (
	"context"
	"embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"text/template"
)

//go:embed python_http.py gunicorn_app.py node_http.js JdkServer.java nginx.conf.tmpl
var sources embed.FS

// prepareGo builds a command of this directory.
func prepareGo(name string) func(context.Context, Site, tools) (Command, error) {
	return func(ctx context.Context, site Site, t tools) (Command, error) {
		binary := filepath.Join(site.Dir, name)
		if err := run(ctx, t["go"], "build", "-o", binary, "github.com/zdhost/zdhost/bench/servers/"+name); err != nil {
			return Command{}, err
		}
		return Command{Argv: []string{binary, "-address", site.Address}}, nil
	}
}

func preparePython(_ context.Context, site Site, t tools) (Command, error) {
	script, err := place(site, "python_http.py")
	return Command{Argv: []string{t["python3"], script, site.Address}}, err
}

func prepareNode(_ context.Context, site Site, t tools) (Command, error) {
	script, err := place(site, "node_http.js")
	return Command{Argv: []string{t["node"], script, site.Address}}, err
}

func prepareGunicorn(_ context.Context, site Site, t tools) (Command, error) {
	_, err := place(site, "gunicorn_app.py")
	return Command{Argv: []string{t["gunicorn"], "--workers", "2", "--bind", site.Address, "--chdir", site.Dir,
		"--log-level", "warning", "gunicorn_app:app"}}, err
}

func prepareJDK(ctx context.Context, site Site, t tools) (Command, error) {
	source, err := place(site, "JdkServer.java")
	if err != nil {
		return Command{}, err
	}
	if err := run(ctx, t["javac"], "-d", site.Dir, source); err != nil {
		return Command{}, err
	}
	return Command{Argv: []string{t["java"], "-Xshare:auto", "-XX:TieredStopAtLevel=1", "-cp", site.Dir, "JdkServer", site.Address}}, nil
}

func prepareNginx(_ context.Context, site Site, t tools) (Command, error) {
	text, err := template.ParseFS(sources, "nginx.conf.tmpl")
	if err != nil {
		return Command{}, err
	}
	path := filepath.Join(site.Dir, "nginx.conf")
	f, err := os.Create(path)
	if err != nil {
		return Command{}, err
	}
	defer f.Close()
	if err := text.Execute(f, site); err != nil {
		return Command{}, err
	}
	return Command{Argv: []string{t["nginx"], "-e", "stderr", "-p", site.Dir, "-c", path}}, nil
}

// place writes an embedded source into the site's directory.
func place(site Site, name string) (path string, err error) {
	text, err := sources.ReadFile(name)
	if err != nil {
		return "", err
	}
	path = filepath.Join(site.Dir, name)
	return path, os.WriteFile(path, text, 0o644)
}

// run runs a compiler; what it printed is part of the error.
func run(ctx context.Context, argv ...string) error {
	if output, err := exec.CommandContext(ctx, argv[0], argv[1:]...).CombinedOutput(); err != nil {
		return fmt.Errorf("cannot run %s: %w\n%s", filepath.Base(argv[0]), err, output)
	}
	return nil
}
