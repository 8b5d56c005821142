package zdapp

import "sync"

// turnstile lets one loop do its blocking call again and again until it is paused or closed. Whoever pauses it wakes
// the call, and knows afterwards that the loop is outside.
type turnstile struct {
	mu     sync.Mutex
	moved  *sync.Cond
	inside bool
	paused bool
	closed bool
}

func newTurnstile() *turnstile {
	t := &turnstile{}
	t.moved = sync.NewCond(&t.mu)
	return t
}

// enter waits while the turnstile is paused and returns false once it is closed.
func (t *turnstile) enter() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for t.paused && !t.closed {
		t.moved.Wait()
	}
	t.inside = !t.closed
	return t.inside
}

// leave says that the call has returned and what it brought is taken care of.
func (t *turnstile) leave() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.inside = false
	t.moved.Broadcast()
}

// pause keeps the loop out for good; wake must make its call return.
func (t *turnstile) pause(wake func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.paused = true
	wake()
	for t.inside {
		t.moved.Wait()
	}
}

// close ends the loop; wake must make its call return.
func (t *turnstile) close(wake func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	wake()
	t.moved.Broadcast()
}
