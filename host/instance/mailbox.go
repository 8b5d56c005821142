package instance

import "sync"

// mailbox takes what the host says without ever making it wait: the host's loop
// serves every instance, and an instance may be waiting for that loop.
type mailbox struct {
	*box
	wake chan struct{}
}

type box struct {
	mu     sync.Mutex // guards what follows
	mail   []letter
	closed bool
}

// letter is what the host says, with a descriptor (or -1) that is its reader's.
type letter struct {
	read func(*life)
	fd   int
}

func newMailbox() mailbox { return mailbox{box: &box{}, wake: make(chan struct{}, 1)} }

func (m mailbox) put(read func(*life)) { m.give(-1, read) }

// give is put with a descriptor that read takes over; it is closed where nobody
// reads any more.
func (m mailbox) give(fd int, read func(*life)) {
	if !m.add(letter{read, fd}) {
		closeFD(fd)
		return
	}
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

func (m mailbox) add(l letter) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.closed {
		m.mail = append(m.mail, l)
	}
	return !m.closed
}

func (m mailbox) take() []letter {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := m.mail
	m.mail = nil
	return all
}

// close ends the reading; what was not read is dropped with its descriptors.
func (m mailbox) close() {
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
	for _, l := range m.take() {
		closeFD(l.fd)
	}
}
