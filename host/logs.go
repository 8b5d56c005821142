package host

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/zdhost/zdhost/host/control"
)

// tailLines is how many of a candidate's last lines are kept with its failure.
const tailLines = 20

// tailBytes bounds how far back a tail is looked for.
const tailBytes = 64 << 10

// logPath is the file that takes an instance's output.
func (h *Host) logPath(service, id string) string {
	return filepath.Join(h.cfg.StateDir, "logs", service, id+".log")
}

// tail returns the last n lines that a log file has, without time and stream.
func (h *Host) tail(path string, n int) []string {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil
	}
	b, err := io.ReadAll(io.NewSectionReader(f, max(0, st.Size()-tailBytes), tailBytes))
	if err != nil {
		return nil
	}
	var lines []string
	for _, raw := range bytes.Split(bytes.TrimRight(b, "\n"), []byte("\n")) {
		if l, ok := parseLine(string(raw)); ok {
			lines = append(lines, l.Text)
		}
	}
	return lines[max(0, len(lines)-n):]
}

// parseLine reads a line as the keeper writes it: TIME STREAM F|P TEXT.
func parseLine(raw string) (control.LogLine, bool) {
	f := strings.SplitN(raw, " ", 4)
	if len(f) != 4 {
		return control.LogLine{}, false
	}
	at, err := time.Parse(time.RFC3339Nano, f[0])
	return control.LogLine{Time: at, Stream: f[1], Text: f[3]}, err == nil
}

// logSource is one instance's log, read from where the last read ended.
type logSource struct {
	instance string
	path     string
	offset   int64
	inode    os.FileInfo
}

// Logs implements control.LogReader. Files are read without the host's loop.
func (b backend) Logs(ctx context.Context, _ control.Actor, q control.LogQuery, emit func(control.LogLine) error) error {
	var dir string
	if err := b.h.askErr(ctx, func() error {
		_, err := b.h.find(q.Service, "show logs of")
		dir = filepath.Join(b.h.cfg.StateDir, "logs", q.Service)
		return err
	}); err != nil {
		return err
	}
	if err := b.knows(ctx, dir, q); err != nil {
		return err
	}
	sources := map[string]*logSource{}
	lines, err := readLogs(dir, q, sources, true)
	if err != nil {
		return err
	}
	if q.Tail > 0 {
		lines = lines[max(0, len(lines)-q.Tail):]
	}
	for {
		for _, l := range lines {
			if err := emit(l); err != nil {
				return err
			}
		}
		if !q.Follow {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-b.h.ctx.Done():
			return nil
		case <-time.After(followPause):
		}
		if lines, err = readLogs(dir, q, sources, false); err != nil {
			return err
		}
	}
}

// knows refuses an instance that neither has a log nor runs.
func (b backend) knows(ctx context.Context, dir string, q control.LogQuery) error {
	if q.Instance == "" {
		return nil
	}
	ids := map[string]bool{}
	if err := b.h.ask(ctx, func() {
		for id, r := range b.h.live {
			if r.gen.svc.name == q.Service {
				ids[id] = true
			}
		}
	}); err != nil {
		return err
	}
	entries, _ := os.ReadDir(dir) // where there is none, nothing was logged
	for _, e := range entries {
		id, _, _ := strings.Cut(e.Name(), ".log")
		ids[id] = true
	}
	if ids[q.Instance] {
		return nil
	}
	hint := "none has run"
	if len(ids) > 0 {
		hint = "there is " + strings.Join(slices.SortedFunc(maps.Keys(ids), byNumber), ", ")
	}
	return &control.Error{Code: control.NotFound, Message: fmt.Sprintf("cannot show logs of %s: it has no instance %s", q.Service, q.Instance), Hint: hint}
}

// byNumber orders instances as they were started: SERVICE-GENERATION-NUMBER.
func byNumber(a, b string) int {
	number := func(id string) int {
		n, _ := strconv.Atoi(id[strings.LastIndexByte(id, '-')+1:])
		return n
	}
	return cmp.Or(cmp.Compare(number(a), number(b)), strings.Compare(a, b))
}

const followPause = 100 * time.Millisecond

// readLogs returns what the sources have gained, in the order of time; with
// rotated, files that were rotated away too.
func readLogs(dir string, q control.LogQuery, sources map[string]*logSource, rotated bool) ([]control.LogLine, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot show logs of %s: %w", q.Service, err)
	}
	var all []control.LogLine
	for _, e := range entries {
		id, rest, ok := strings.Cut(e.Name(), ".log")
		if !ok || q.Instance != "" && id != q.Instance || rest != "" && (!rotated || !isRotation(rest)) {
			continue
		}
		s := sources[e.Name()]
		if s == nil {
			s = &logSource{instance: id, path: filepath.Join(dir, e.Name())}
			sources[e.Name()] = s
		}
		all = append(all, s.read(q)...)
	}
	sort.SliceStable(all, func(i, j int) bool { return all[i].Time.Before(all[j].Time) })
	return all, nil
}

func isRotation(rest string) bool {
	_, err := strconv.Atoi(strings.TrimPrefix(rest, "."))
	return err == nil
}

// read returns the lines since the last read. A file that was rotated is begun
// anew; its end may be missed by a follower in that moment.
func (s *logSource) read(q control.LogQuery) []control.LogLine {
	f, err := os.Open(s.path)
	if err != nil {
		return nil
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil
	}
	if s.inode != nil && !os.SameFile(s.inode, st) || st.Size() < s.offset {
		s.offset = 0
	}
	s.inode = st
	if _, err := f.Seek(s.offset, io.SeekStart); err != nil {
		return nil
	}
	var lines []control.LogLine
	in := bufio.NewReaderSize(f, 64<<10)
	for {
		raw, err := in.ReadString('\n')
		if err != nil {
			return lines // an unfinished line is read when it is whole
		}
		s.offset += int64(len(raw))
		l, ok := parseLine(strings.TrimSuffix(raw, "\n"))
		if !ok || l.Time.Before(q.Since) {
			continue
		}
		l.Service, l.Instance = q.Service, s.instance
		lines = append(lines, l)
	}
}
