package host

import (
	"context"
	"fmt"
	"os/user"
	"time"

	"github.com/zdhost/zdhost/host/control"
	"github.com/zdhost/zdhost/host/release"
)

type digest = release.Digest

func nowUTC() time.Time { return time.Now().UTC() }

// serveControl answers the control API until stop is called.
func (h *Host) serveControl(ctx context.Context) (stop func(), err error) {
	var gid *uint32
	if name := h.cfg.Control.Group; name != "" {
		g, err := user.LookupGroup(name)
		if err != nil {
			return nil, fmt.Errorf("cannot open the control socket to group %q: %w", name, err)
		}
		n, err := number(g.Gid)
		if err != nil {
			return nil, err
		}
		gid = &n
	}
	lis, err := control.Listen(h.cfg.StateDir, h.opts.RunDir, gid)
	if err != nil {
		return nil, err
	}
	server := control.NewServer(backend{h}, control.ServerOptions{GID: gid, Log: h.log})
	h.route(server)
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := server.Serve(ctx, lis); err != nil {
			h.log.Error("the control API ended", "error", err)
		}
	}()
	return func() { cancel(); <-done }, nil
}

// repair makes a lane that a program has shut down listen again.
func (h *Host) repair(p *port, l *lane) {
	if p.repairing {
		return
	}
	p.repairing = true
	go func() {
		ctx, cancel := context.WithTimeout(h.ctx, 5*time.Second)
		defer cancel()
		lost, err := l.set.Repair(ctx)
		h.post(func() {
			p.repairing = false
			p.noteIndices()
			switch {
			case err != nil:
				h.log.Error("cannot repair listener", "listener", p.name, "error", err)
			case len(lost) > 0:
				h.log.Error("a program shut a lane down; its queue was reset and it listens again", "listener", p.name, "lanes", len(lost))
			}
		})
	}()
}
