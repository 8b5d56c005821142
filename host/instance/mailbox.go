package instance

import "sync"

// mailbox takes what the host says without ever making it wait: the host's loop
// serves every instance, and an instance may be waiting for that loop.
type mailbox struct {
	*box
	wake chan struct{}
}

type box struct {
	mu   sync.Mutex // guards mail
	mail []func(*life)
}

func newMailbox() mailbox { return mailbox{box: &box{}, wake: make(chan struct{}, 1)} }

func (m mailbox) put(f func(*life)) {
	m.mu.Lock()
	m.mail = append(m.mail, f)
	m.mu.Unlock()
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

func (m mailbox) take() []func(*life) {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := m.mail
	m.mail = nil
	return all
}
