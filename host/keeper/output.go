package keeper

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// maxLine is the longest line written whole; a longer one is written in parts,
// tagged P as in the CRI log format (kubernetes/kubernetes, cri-api: "stream tag
// log"), which the files follow: TIME stdout|stderr F|P TEXT.
const maxLine = 16 << 10

// pipeBytes is how much a FIFO holds.
const pipeBytes = 1 << 20

// output takes what a child writes. Its two FIFOs are open for reading and
// writing at both ends, so that the child neither gets EPIPE nor sees an end,
// whatever happens to the keeper.
type output struct {
	streams [2]*stream // stdout, stderr
	sink    *logFile
}

// newOutput makes the FIFOs, owned by uid and already without a name, and
// returns the two ends for the child, which the caller closes.
func newOutput(dir, id, log string, user *User) (*output, [2]int, error) {
	ends := [2]int{-1, -1}
	o := &output{sink: &logFile{path: log}}
	for i, name := range []string{"stdout", "stderr"} {
		path := filepath.Join(dir, id+"."+name)
		r, w, err := fifo(path, user)
		if err != nil {
			o.close()
			closeEnds(ends)
			return nil, ends, fmt.Errorf("cannot make the %s of %s: %w", name, id, err)
		}
		ends[i] = w
		o.streams[i] = newStream(name, r, o.sink)
	}
	return o, ends, nil
}

func closeEnds(ends [2]int) {
	for _, fd := range ends {
		if fd >= 0 {
			_ = unix.Close(fd)
		}
	}
}

// fifo opens one FIFO twice: non-blocking for us, blocking for the child. Its
// owner is the child's user, so that a program may open /dev/stderr again.
func fifo(path string, user *User) (ours, theirs int, err error) {
	_ = os.Remove(path)
	if err := unix.Mkfifo(path, 0o600); err != nil {
		return -1, -1, err
	}
	defer os.Remove(path)
	if ours, err = unix.Open(path, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0); err != nil {
		return -1, -1, err
	}
	if theirs, err = unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC, 0); err != nil {
		_ = unix.Close(ours)
		return -1, -1, err
	}
	if user != nil {
		if err := unix.Fchown(theirs, int(user.UID), int(user.GID)); err != nil {
			_ = unix.Close(ours)
			_ = unix.Close(theirs)
			return -1, -1, err
		}
	}
	_, _ = unix.FcntlInt(uintptr(ours), unix.F_SETPIPE_SZ, pipeBytes) // more room while we are away; the default does too
	return ours, theirs, nil
}

// flushWait is how long an exit is kept back for the output before it.
const flushWait = 2 * time.Second

// flush returns true once everything that the child had written is in the file,
// and false where the disk didn't take it in time.
func (o *output) flush(wait time.Duration) bool {
	late := time.NewTimer(wait)
	defer late.Stop()
	for _, s := range o.streams {
		if s != nil && !s.flush(false, late.C) {
			return false
		}
	}
	return true
}

// close flushes and ends the reading, however long the disk takes: the loop
// doesn't wait for it.
func (o *output) close() {
	for _, s := range o.streams {
		if s != nil {
			s.flush(true, nil)
		}
	}
	o.sink.close()
}

// stream reads one FIFO in a goroutine of its own.
type stream struct {
	name  string
	file  *os.File
	sink  *logFile
	asked chan flushRequest
	ended chan struct{}
	rest  []byte // of a line that is not finished
}

type flushRequest struct {
	end  bool
	done chan struct{}
}

func newStream(name string, fd int, sink *logFile) *stream {
	s := &stream{name: name, file: os.NewFile(uintptr(fd), name), sink: sink, asked: make(chan flushRequest, 1), ended: make(chan struct{})}
	go s.run()
	return s
}

// flush wakes the reader through its deadline. It returns false where late came
// first.
func (s *stream) flush(end bool, late <-chan time.Time) bool {
	req := flushRequest{end: end, done: make(chan struct{})}
	select {
	case s.asked <- req:
	case <-s.ended:
		return true
	case <-late:
		return false
	}
	_ = s.file.SetReadDeadline(time.Unix(1, 0))
	select {
	case <-req.done:
	case <-s.ended:
	case <-late:
		return false
	}
	return true
}

func (s *stream) run() {
	defer close(s.ended)
	defer s.file.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := s.file.Read(buf)
		s.take(buf[:n])
		if err == nil {
			continue
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return
		}
		// Before the request is taken: the next one comes with a deadline of its own.
		_ = s.file.SetReadDeadline(time.Time{})
		req := <-s.asked
		s.drain(buf)
		if len(s.rest) > 0 {
			s.sink.write(s.name, 'P', s.rest)
			s.rest = s.rest[:0]
		}
		close(req.done)
		if req.end {
			return
		}
	}
}

// drain reads what is there without waiting, and no more than there could be
// when it began: somebody may go on writing.
func (s *stream) drain(buf []byte) {
	raw, err := s.file.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		for left := pipeBytes; left > 0; {
			n, err := unix.Read(int(fd), buf)
			if n > 0 {
				s.take(buf[:n])
				left -= n
				continue
			}
			if !errors.Is(err, unix.EINTR) {
				return
			}
		}
	})
}

func (s *stream) take(b []byte) {
	for len(b) > 0 {
		i := bytes.IndexByte(b, '\n')
		if i < 0 {
			s.rest = append(s.rest, b...)
			b = nil
		} else {
			s.rest = append(s.rest, b[:i]...)
			b = b[i+1:]
		}
		for len(s.rest) >= maxLine {
			s.sink.write(s.name, 'P', s.rest[:maxLine])
			s.rest = append(s.rest[:0], s.rest[maxLine:]...)
		}
		if i >= 0 {
			s.sink.write(s.name, 'F', s.rest)
			s.rest = s.rest[:0]
		}
	}
}

// logFile is the file behind both streams of a child. While the disk refuses,
// the newest ringBytes are kept in memory and what fell out is counted; both are
// written when the disk takes them again.
type logFile struct {
	mu   sync.Mutex
	path string
	file *os.File
	size int64
	ring [][]byte
	held int
	lost int
}

const (
	rotateBytes = 10 << 20
	rotateKeep  = 3
	ringBytes   = 256 << 10
)

func (l *logFile) write(stream string, tag byte, text []byte) {
	line := make([]byte, 0, len(text)+48)
	line = time.Now().UTC().AppendFormat(line, "2006-01-02T15:04:05.000000Z")
	line = append(line, ' ')
	line = append(line, stream...)
	line = append(line, ' ', tag, ' ')
	line = append(line, text...)
	line = append(line, '\n')
	l.mu.Lock()
	defer l.mu.Unlock()
	l.push(line)
	for len(l.ring) > 0 && l.put(l.ring[0]) {
		l.held -= len(l.ring[0])
		l.ring = l.ring[1:]
	}
}

func (l *logFile) push(line []byte) {
	l.ring = append(l.ring, line)
	l.held += len(line)
	for l.held > ringBytes && len(l.ring) > 1 {
		l.held -= len(l.ring[0])
		l.ring = l.ring[1:]
		l.lost++
	}
}

// put appends one line whole, or leaves the file as it was and says false.
func (l *logFile) put(line []byte) bool {
	if l.file == nil && !l.open() {
		return false
	}
	if l.lost > 0 {
		note := fmt.Sprintf("%s stderr F zdhost: %d lines lost while the disk took none\n", time.Now().UTC().Format("2006-01-02T15:04:05.000000Z"), l.lost)
		if n, err := l.file.Write([]byte(note)); err != nil {
			_ = l.file.Truncate(l.size)
			return false
		} else {
			l.size += int64(n)
			l.lost = 0
		}
	}
	if _, err := l.file.Write(line); err != nil {
		_ = l.file.Truncate(l.size)
		return false
	}
	l.size += int64(len(line))
	if l.size >= rotateBytes {
		l.rotate()
	}
	return true
}

func (l *logFile) open() bool {
	if err := os.MkdirAll(filepath.Dir(l.path), 0o700); err != nil {
		return false
	}
	f, err := os.OpenFile(l.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return false
	}
	st, err := f.Stat()
	if err != nil {
		_ = f.Close()
		return false
	}
	l.file, l.size = f, st.Size()
	return true
}

func (l *logFile) rotate() {
	_ = l.file.Close()
	l.file = nil
	for i := rotateKeep - 1; i > 0; i-- {
		_ = os.Rename(fmt.Sprintf("%s.%d", l.path, i), fmt.Sprintf("%s.%d", l.path, i+1))
	}
	_ = os.Rename(l.path, l.path+".1")
}

func (l *logFile) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file != nil {
		_ = l.file.Close()
		l.file = nil
	}
}
