package load

import (
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"
)

// Kind says how a client saw a request fail.
type Kind string

const (
	KindConnect   Kind = "connect"             // no connection: refused, reset, no such socket
	KindReset     Kind = "reset"               // the connection was reset, or closed under a write
	KindEOF       Kind = "eof-before-response" // closed before the first byte of the response
	KindShort     Kind = "short"               // closed inside the response
	KindTimeout   Kind = "timeout"             // nothing came for Options.Timeout: a hung client
	KindStatus    Kind = "status"              // a complete answer with another status than 2xx (101 for a WebSocket)
	KindMismatch  Kind = "mismatch"            // not HTTP, or not the answer to this request
	KindDuplicate Kind = "duplicate"           // an answer that was given already, or a second one that nobody asked for
	KindLocal     Kind = "local"               // the generator ran out of descriptors, ports or memory: the run is void
)

// Kinds lists every kind of failure.
func Kinds() []Kind {
	return []Kind{KindConnect, KindReset, KindEOF, KindShort, KindTimeout, KindStatus, KindMismatch, KindDuplicate, KindLocal}
}

// Failure is one thing that a client saw go wrong.
type Failure struct {
	When   time.Time `json:"when"`
	Client string    `json:"client"`
	Kind   Kind      `json:"kind"`
	Detail string    `json:"detail"`
}

func (f Failure) String() string {
	return fmt.Sprintf("%s %s %s: %s", f.When.Format("15:04:05.000"), f.Client, f.Kind, f.Detail)
}

// fault is a failure before anybody noted whose and when.
type fault struct {
	kind   Kind
	detail string
}

func (f *fault) Error() string { return string(f.kind) + ": " + f.detail }

func faultf(k Kind, format string, args ...any) *fault {
	return &fault{kind: k, detail: fmt.Sprintf(format, args...)}
}

// classify turns an I/O error into a fault. eof is the kind that a clean close means here; doing says what the
// client was at ("waiting for the response").
func classify(err error, eof Kind, doing string) *fault {
	var f *fault
	var network *net.OpError
	kind := KindMismatch
	switch {
	case errors.As(err, &f):
		return f
	case isLocal(err):
		kind = KindLocal
	case errors.As(err, &network) && network.Timeout():
		kind = KindTimeout
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		kind = eof
	case errors.As(err, &network): // ECONNRESET, EPIPE and their rarer kin
		kind = KindReset
	}
	return faultf(kind, "%s: %v", doing, err)
}

// isLocal reports whether an error is the generator's own doing.
func isLocal(err error) bool {
	for _, e := range []error{syscall.EMFILE, syscall.ENFILE, syscall.EADDRNOTAVAIL, syscall.ENOBUFS, syscall.ENOMEM} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
