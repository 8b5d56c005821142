package zdapp

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/zdhost/zdhost/zdapp/workload"
)

// attach starts the line to the host; lanes says that the app wants lanes from it.
func (c *conductor) attach(ctx context.Context, path string, lanes bool) {
	c.attachment = newAttachment(path, c.app.hello(c.fleet.buffer), lanes, c.asks, c.log)
	attached, cancel := context.WithCancel(context.WithoutCancel(ctx)) // the drain needs the host after ctx has ended
	c.detach = cancel
	c.started.Go(func() { c.attachment.run(attached) })
}

// awaitLanes returns the lanes that the host gives; none if it has none or doesn't answer in time.
func (c *conductor) awaitLanes(ctx context.Context) (map[string]lane, error) {
	bounded, cancel := context.WithTimeout(ctx, lanesPatience)
	defer cancel()
	for {
		select {
		case a := <-c.asks:
			switch a.Type {
			case workload.TypeLanes:
				return lanesOf(a)
			case workload.TypeWelcome:
				c.welcomed(a)
			default:
				c.early = append(c.early, a)
			}
		case <-bounded.Done():
			if ctx.Err() != nil {
				return nil, fmt.Errorf("cannot get lanes: %w", ctx.Err())
			}
			c.log.Warn("no lanes from the host; the program binds by itself", "waited", lanesPatience)
			return nil, nil
		}
	}
}

// lanesOf takes the lanes out of the host's answer.
func lanesOf(a ask) (map[string]lane, error) {
	if len(a.fds) != len(a.Names) {
		workload.CloseAll(a.fds)
		return nil, fmt.Errorf("cannot take lanes: the host sent %d for %d listeners", len(a.fds), len(a.Names))
	}
	lanes := make(map[string]lane, len(a.fds))
	for i, name := range a.Names {
		l, err := laneOf(a.fds[i], name)
		if err != nil {
			workload.CloseAll(a.fds[i+1:])
			return nil, fmt.Errorf("cannot take lane %q: %w", name, err)
		}
		lanes[name] = l
	}
	return lanes, nil
}

// serve begins to serve on the lanes and says so once net/http accepts on every one.
func (c *conductor) serve(lanes map[string]lane) error {
	c.app.install(c.fleet)
	c.served = make(chan error, len(lanes))
	c.intakes = make(map[string]*intake, len(lanes))
	for _, name := range slices.Sorted(maps.Keys(lanes)) {
		in := newIntake(name, lanes[name], c.fleet, c.log)
		in.secure = c.app.secure()
		c.intakes[name] = in
		if c.main == nil {
			c.main = in
		}
	}
	for _, in := range c.intakes {
		c.started.Go(in.run)
		c.started.Go(func() { c.served <- c.serveOn(in) })
	}
	for _, in := range c.intakes {
		select {
		case <-in.asked:
		case err := <-c.served:
			return err
		}
	}
	c.reach(workload.PhaseServing, c.epoch)
	if c.inbox != nil {
		c.started.Go(c.inbox.run)
	}
	if err := notify("READY=1"); err != nil {
		c.log.Warn("no service manager", "error", err)
	}
	if c.attachment != nil {
		c.attachment.ready()
	}
	return nil
}

// serveOn is one lane's share of the server. It returns why serving ended.
func (c *conductor) serveOn(in *intake) error {
	var err error
	if in.secure {
		err = c.app.server.ServeTLS(in, "", "")
	} else {
		err = c.app.server.Serve(in)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return fmt.Errorf("cannot serve on listener %q: %w", in.name, err)
}

// arrived takes a connection that another process moved here. Its goroutine ends when the client speaks or the
// connection does.
func (c *conductor) arrived(nc net.Conn, listener string, requests uint64) {
	in := c.intakes[listener]
	if in == nil {
		in = c.main
	}
	if in.secure {
		c.log.Error("cannot serve a moved connection: it isn't TLS", "listener", listener)
		c.fleet.tally.cut.Add(1)
		_ = nc.Close()
		return
	}
	conn, err := newConn(nc, in.name, requests, c.fleet)
	if err != nil {
		c.log.Error("cannot take a moved connection", "error", err)
		c.fleet.tally.cut.Add(1)
		_ = nc.Close()
		return
	}
	c.fleet.tally.movedIn.Add(1)
	c.started.Go(func() {
		if conn.awaitFirstByte(c.idleTimeout()) {
			in.deliver(conn)
		}
	})
}

// idleTimeout is net/http's own rule.
func (c *conductor) idleTimeout() time.Duration {
	if d := c.app.server.IdleTimeout; d != 0 {
		return d
	}
	return c.app.server.ReadTimeout
}

// stopTaking keeps new connections out. The inbox is read on: what is moved here goes to the successor, or is told. Only
// where the end is this instance's own, and there is no successor, is it left to the siblings.
func (c *conductor) stopTaking(asked bool) {
	for _, in := range c.intakes {
		if c.alone && c.farewell != nil {
			in.retire()
		} else {
			in.pause()
		}
	}
	c.deaf = !asked && c.fleet.route.Load() == nil
	if c.inbox != nil && c.deaf {
		c.inbox.pause()
	}
}

// close ends all that the conductor started.
func (c *conductor) close() {
	_ = c.app.server.Close()
	for _, in := range c.intakes {
		_ = in.Close()
	}
	if c.inbox != nil {
		c.inbox.close()
	}
	c.head(nil)
	c.timeUp()
	c.detach()
	for _, conn := range c.fleet.all() {
		_ = conn.Close()
	}
	c.started.Wait()
	for _, a := range c.early {
		workload.CloseAll(a.fds)
	}
}
