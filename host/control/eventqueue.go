package control

import "sync"

// maxQueued bounds the events that wait for a slow reader.
const maxQueued = 256

// eventQueue stands between a backend that must not wait and a reader that may be slow. When it is
// full the oldest event is dropped, and the next one handed out says how many were.
type eventQueue struct {
	wake chan struct{} // holds one token while there may be something to take

	mu      sync.Mutex
	events  []RolloutEvent
	dropped int
	closed  bool
}

func newEventQueue() *eventQueue { return &eventQueue{wake: make(chan struct{}, 1)} }

// push never blocks. After close it does nothing.
func (q *eventQueue) push(event RolloutEvent) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return
	}
	if len(q.events) == maxQueued {
		q.dropped += 1 + q.events[0].Dropped
		q.events = q.events[1:]
	}
	q.events = append(q.events, event)
	q.signal()
}

// close lets the reader take what is left and then see the end.
func (q *eventQueue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.signal()
}

// take returns what waits, and whether more can come.
func (q *eventQueue) take() (events []RolloutEvent, more bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	events, q.events = q.events, nil
	if len(events) > 0 {
		events[0].Dropped += q.dropped
		q.dropped = 0
	}
	return events, !q.closed
}

func (q *eventQueue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}
