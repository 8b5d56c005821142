package load

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// client is one impatient client. All of it belongs to the goroutine of run.
type client struct {
	opts   *Options
	name   string
	budget *budget
	ledger *ledger // nil without a checker
	conn   *conn   // nil between connections
	seq    int     // of the last numbered POST
	seen   Result
	failed bool // the last round had a failure
}

func newClient(o *Options, name string, b *budget) *client {
	c := &client{opts: o, name: name, budget: b, seen: newResult()}
	if o.Checker != nil {
		c.ledger = o.Checker.open(name)
	}
	return c
}

// run does rounds until ctx is done or the budget is spent, then hangs up.
func (c *client) run(ctx context.Context) {
	defer c.hangUp()
	exchange := c.opts.Mode.exchange()
	wait(ctx, time.Duration(rand.Float64()*float64(c.opts.Think)))
	for ctx.Err() == nil && c.budget.take() {
		c.failed = false
		exchange(ctx, c)
		c.rest(ctx)
	}
	if c.opts.Mode == Idle && c.conn != nil && ctx.Err() != nil {
		exchange(ctx, c)
	}
	if c.conn != nil {
		c.checkSilence()
	}
}

// rest is the pause between two rounds.
func (c *client) rest(ctx context.Context) {
	switch {
	case c.failed:
		wait(ctx, c.opts.Pause)
	case c.opts.Mode == Idle:
		wait(ctx, c.opts.Hold)
	case c.opts.Think > 0:
		wait(ctx, time.Duration((0.5+rand.Float64())*float64(c.opts.Think)))
	}
}

// connect makes sure that there is a connection: the kept one if it is still good, else a new one. The error is
// about the new one.
func (c *client) connect() error {
	if c.conn != nil && !c.opts.Blind {
		c.checkSilence()
	}
	if c.conn == nil {
		conn, err := dial(c.opts)
		if err != nil {
			return err
		}
		c.conn = conn
		c.seen.Opened++
	}
	return c.conn.begin()
}

// checkSilence looks at a kept connection between two requests. If the server has closed it, or has said
// something unasked, the connection is given up.
func (c *client) checkSilence() {
	switch c.conn.look() {
	case closed:
		c.seen.ClosedByServer++
		c.hangUp()
	case talking:
		c.unasked()
	}
}

// unasked records what a kept connection says between two requests, and gives the connection up.
func (c *client) unasked() {
	kind := KindMismatch
	start, _ := c.conn.in.Peek(len("HTTP/"))
	if string(start) == "HTTP/" {
		kind = KindDuplicate
	}
	c.seen.Unasked++
	c.fail(time.Now(), faultf(kind, "unasked bytes on a kept connection, beginning with %q", start))
}

// hangUp closes the connection, if there is one.
func (c *client) hangUp() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}

// answered records a request that was answered well.
func (c *client) answered(release string, began time.Time) {
	if release == "" {
		release = Unnamed
	}
	latency := time.Since(began)
	c.seen.Requests++
	c.seen.OK++
	c.seen.ByRelease[release]++
	c.seen.Latency.Add(latency)
	if c.opts.OnOutcome != nil {
		c.opts.OnOutcome(Outcome{When: time.Now(), Client: c.name, Release: release, Latency: latency})
	}
}

// lost records a request that failed, and hangs up: nothing more can be told from that connection.
func (c *client) lost(began time.Time, err error) {
	c.seen.Requests++
	c.fail(began, err)
}

// fail records a failure and hangs up.
func (c *client) fail(began time.Time, err error) {
	f := classify(err, KindShort, "in the exchange")
	failure := Failure{When: time.Now(), Client: c.name, Kind: f.kind, Detail: f.detail}
	c.failed = true
	c.seen.fail(failure, c.opts.KeepFailures)
	c.hangUp()
	if c.opts.OnOutcome != nil {
		c.opts.OnOutcome(Outcome{When: failure.When, Client: c.name, Latency: time.Since(began), Failure: &failure})
	}
}

// numbered is a numbered POST that was written, or is about to be.
type numbered struct {
	seq  int
	head string
	body string
}

// next makes the client's next numbered POST.
func (c *client) next() numbered {
	c.seq++
	body := fmt.Sprintf("%s %d\n", c.name, c.seq)
	body += strings.Repeat("x", max(0, c.opts.BodySize-len(body)))
	return numbered{
		seq: c.seq,
		head: fmt.Sprintf("POST %s HTTP/1.1\r\nHost: %s\r\nX-Request: %s %d\r\nContent-Length: %d\r\n\r\n",
			c.opts.Path, c.opts.host(), c.name, c.seq, len(body)),
		body: body,
	}
}

// sent and acknowledged tell the checker.
func (c *client) sent(n numbered) {
	if c.ledger != nil {
		c.ledger.sent(n.seq)
	}
}

func (c *client) acknowledged(n numbered) {
	if c.ledger != nil {
		c.ledger.acknowledge(n.seq)
	}
}

// get is a GET request with extra header lines, each ending in CRLF.
func (c *client) get(extra string) string {
	return fmt.Sprintf("GET %s HTTP/1.1\r\nHost: %s\r\n%s\r\n", c.opts.Path, c.opts.host(), extra)
}

// wait returns after d, or when ctx is done.
func wait(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
