package load

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Checker compares the numbered POSTs that clients sent and saw acknowledged with the log of those that the
// servers executed: a file to which every server process appends "client seq\n" with one write on an O_APPEND
// descriptor, before it answers. One Checker may serve several runs with different names.
type Checker struct {
	path    string
	mu      sync.Mutex
	ledgers map[string]*ledger
}

// NewChecker returns a checker of the execution log at path, which need not exist yet.
func NewChecker(path string) *Checker {
	return &Checker{path: path, ledgers: map[string]*ledger{}}
}

// Verdict is what the comparison found. Err says whether it is good.
type Verdict struct {
	Sent         int `json:"sent"`
	Acknowledged int `json:"acknowledged"`
	Executed     int `json:"executed"` // different requests in the log
	// ExecutedUnanswered were executed although no good answer arrived: the client saw each fail, and a
	// retry would have executed it again.
	ExecutedUnanswered int `json:"executed_unanswered"`

	Twice   int `json:"twice"`   // requests executed more than once
	Missing int `json:"missing"` // acknowledged and never executed
	Strange int `json:"strange"` // lines of the log that no client of this checker sent

	Examples []string `json:"examples,omitempty"` // at most 20 of the last three
}

// Err is nil if nothing was executed twice, nothing acknowledged is missing, and the log has no strange line.
func (v Verdict) Err() error {
	if v.Twice == 0 && v.Missing == 0 && v.Strange == 0 {
		return nil
	}
	return fmt.Errorf("cannot accept executions: %d twice, %d acknowledged but missing, %d strange (of %d acknowledged): %s",
		v.Twice, v.Missing, v.Strange, v.Acknowledged, strings.Join(v.Examples, "; "))
}

// Verify reads the log and compares. Some servers log after they answer (nginx), so while an acknowledged request
// is missing it reads again until ctx is done. Call it after Run has returned. The error is about reading.
func (k *Checker) Verify(ctx context.Context) (Verdict, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for {
		v, err := k.compare()
		if err != nil || v.Missing == 0 || ctx.Err() != nil {
			return v, err
		}
		wait(ctx, 10*time.Millisecond)
	}
}

// open returns a client's ledger.
func (k *Checker) open(client string) *ledger {
	k.mu.Lock()
	defer k.mu.Unlock()
	l := k.ledgers[client]
	if l == nil {
		l = &ledger{}
		k.ledgers[client] = l
	}
	return l
}

// compare reads the log once.
func (k *Checker) compare() (Verdict, error) {
	var v Verdict
	executed, err := k.read(&v)
	if err != nil {
		return v, err
	}
	for client, l := range k.ledgers {
		v.count(client, l, executed[client])
	}
	slices.Sort(v.Examples)
	return v, nil
}

// read counts the log's lines by client and sequence number.
func (k *Checker) read(v *Verdict) (map[string][]uint8, error) {
	executed := map[string][]uint8{}
	for client, l := range k.ledgers {
		executed[client] = make([]uint8, l.last()+1)
	}
	f, err := os.Open(k.path)
	if errors.Is(err, fs.ErrNotExist) {
		return executed, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read execution log: %w", err)
	}
	defer f.Close()
	in := bufio.NewReader(f)
	for {
		line, err := in.ReadString('\n')
		if err == io.EOF && line == "" {
			return executed, nil
		}
		if err != nil && err != io.EOF {
			return nil, fmt.Errorf("cannot read execution log: %w", err)
		}
		client, number, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		seq, numberErr := strconv.Atoi(number)
		if times := executed[client]; err == nil && numberErr == nil && seq > 0 && seq < len(times) {
			times[seq] = min(times[seq], 254) + 1
		} else {
			v.Strange++
			v.example("strange line %s", abridged(line))
		}
	}
}

// count adds one client to the verdict. times is how often each request was executed.
func (v *Verdict) count(client string, l *ledger, times []uint8) {
	for seq := 1; seq <= l.last(); seq++ {
		v.Sent++
		acknowledged := l.acked[seq]
		if acknowledged {
			v.Acknowledged++
		}
		switch n := times[seq]; {
		case n == 0 && acknowledged:
			v.Missing++
			v.example("%s %d acknowledged, not executed", client, seq)
		case n > 1:
			v.Twice++
			v.example("%s %d executed %d times", client, seq, n)
		}
		if times[seq] > 0 {
			v.Executed++
			if !acknowledged {
				v.ExecutedUnanswered++
			}
		}
	}
}

func (v *Verdict) example(format string, args ...any) {
	if len(v.Examples) < 20 {
		v.Examples = append(v.Examples, fmt.Sprintf(format, args...))
	}
}

// ledger is what one client sent and saw acknowledged, by sequence number from 1. It belongs to the client's
// goroutine until Run returns.
type ledger struct {
	acked []bool
}

func (l *ledger) sent(seq int) {
	for len(l.acked) <= seq {
		l.acked = append(l.acked, false)
	}
}

func (l *ledger) acknowledge(seq int) { l.acked[seq] = true }

func (l *ledger) last() int { return max(len(l.acked)-1, 0) }
