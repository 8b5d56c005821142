package load

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"time"
)

// readStream is Stream: a long response, read line by line as it comes. Each line is "part I/N RELEASE".
func readStream(_ context.Context, c *client) {
	began := time.Now()
	defer c.hangUp()
	if err := c.connect(); err != nil {
		c.lost(began, err)
		return
	}
	if err := c.conn.send(c.get("Connection: close\r\n")); err != nil {
		c.lost(began, err)
		return
	}
	h, err := readHead(c.conn.in)
	if err != nil {
		c.lost(began, err)
		return
	}
	if h.status != 200 {
		c.lost(began, faultf(KindStatus, "status %d", h.status))
		return
	}
	release, err := readParts(h, c.conn.in, c.opts.Parts)
	if err != nil {
		c.lost(began, err)
		return
	}
	c.answered(release, began)
}

// readParts reads the lines of a streamed body to its end and returns the release that they all name.
func readParts(h head, in *bufio.Reader, parts int) (string, error) {
	body := bufio.NewReader(h.reader(in))
	release := h.release
	for i := 1; i <= parts; i++ {
		line, err := body.ReadString('\n')
		if err != nil {
			return "", classify(err, KindShort, fmt.Sprintf("waiting for part %d of %d", i, parts))
		}
		var number, of int
		var by string
		if _, err := fmt.Sscanf(line, "part %d/%d %s\n", &number, &of, &by); err != nil || number != i || of != parts {
			return "", faultf(KindMismatch, "part %d of %d is %s", i, parts, abridged(line))
		}
		if release == "" {
			release = by
		}
		if by != release {
			return "", faultf(KindMismatch, "part %d of %d comes from release %q, the stream from %q", i, parts, by, release)
		}
	}
	rest, err := io.ReadAll(io.LimitReader(body, 64))
	if err != nil {
		return "", classify(err, KindShort, "waiting for the stream's end")
	}
	if len(rest) > 0 {
		return "", faultf(KindMismatch, "the stream goes on after its last part: %s", abridged(string(rest)))
	}
	return release, nil
}
