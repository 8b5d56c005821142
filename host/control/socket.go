package control

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// SocketName is the control socket's name in the state directory.
const SocketName = "control.sock"

const (
	pointerName = "control.path"
	// maxPath is what a socket's path may have with room for a temporary name; the kernel's limit
	// is 107 bytes and a NUL.
	maxPath = 100
)

// Listen opens the control socket of a state directory: state_dir/control.sock, or, where that is
// longer than 100 bytes, run_dir/control.sock, which state_dir/control.path then names. The socket
// appears complete, with its mode (0600, or 0660 and the group if gid is not nil), and takes the
// place of an older one: connections that the older one's listener holds are not touched. Closing
// the listener removes the file only while it is still this listener's own.
func Listen(stateDir, runDir string, gid *uint32) (net.Listener, error) {
	path, err := listenPath(stateDir, runDir)
	if err != nil {
		return nil, fmt.Errorf("cannot open the control socket: %w", err)
	}
	listener, err := listenAt(path, gid)
	if err != nil {
		return nil, fmt.Errorf("cannot open the control socket: %w", err)
	}
	if err := point(stateDir, path); err != nil {
		_ = listener.Close()
		return nil, fmt.Errorf("cannot open the control socket: %w", err)
	}
	return listener, nil
}

func listenPath(stateDir, runDir string) (string, error) {
	stateDir, err := filepath.Abs(stateDir)
	if err != nil {
		return "", err
	}
	if path := filepath.Join(stateDir, SocketName); len(path) <= maxPath {
		return path, nil
	}
	if runDir == "" {
		return "", fmt.Errorf("the path of %s is longer than %d bytes and there is no run_dir", stateDir, maxPath)
	}
	if runDir, err = filepath.Abs(runDir); err != nil {
		return "", err
	}
	path := filepath.Join(runDir, SocketName)
	if len(path) > maxPath {
		return "", fmt.Errorf("the path of run_dir %s is longer than %d bytes", runDir, maxPath)
	}
	return path, nil
}

func listenAt(path string, gid *uint32) (net.Listener, error) {
	temporary := fmt.Sprintf("%s.%d", path, os.Getpid()%10000)
	if err := os.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: temporary, Net: "unix"})
	if err != nil {
		return nil, err
	}
	listener.SetUnlinkOnClose(false)
	owned, err := publish(temporary, path, gid)
	if err != nil {
		_ = os.Remove(temporary)
		_ = listener.Close()
		return nil, err
	}
	return &socket{UnixListener: listener, path: path, file: owned}, nil
}

func publish(temporary, path string, gid *uint32) (fs.FileInfo, error) {
	mode := fs.FileMode(0o600)
	if gid != nil {
		mode = 0o660
		if err := os.Chown(temporary, -1, int(*gid)); err != nil {
			return nil, err
		}
	}
	if err := os.Chmod(temporary, mode); err != nil {
		return nil, err
	}
	info, err := os.Lstat(temporary)
	if err != nil {
		return nil, err
	}
	return info, os.Rename(temporary, path)
}

// point leaves exactly one way from the state directory to the socket.
func point(stateDir, path string) error {
	pointer := filepath.Join(stateDir, pointerName)
	if absolute, err := filepath.Abs(stateDir); err == nil && filepath.Dir(path) == absolute {
		return removeIfThere(pointer)
	}
	if err := removeIfThere(filepath.Join(stateDir, SocketName)); err != nil {
		return err
	}
	temporary := pointer + ".new"
	if err := os.WriteFile(temporary, []byte(path+"\n"), 0o644); err != nil {
		return err
	}
	return os.Rename(temporary, pointer)
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// SocketPath says where the host of a state directory listens, whether or not one does.
func SocketPath(stateDir string) (string, error) {
	pointer, err := os.ReadFile(filepath.Join(stateDir, pointerName))
	if errors.Is(err, fs.ErrNotExist) {
		return filepath.Join(stateDir, SocketName), nil
	}
	if err != nil {
		return "", err
	}
	path := strings.TrimSuffix(string(pointer), "\n")
	if !filepath.IsAbs(path) || len(path) > maxPath {
		return "", fmt.Errorf("%s does not name a socket", filepath.Join(stateDir, pointerName))
	}
	return path, nil
}

// socket removes its file when it is closed, if nobody has put another in its place.
type socket struct {
	*net.UnixListener
	path  string
	file  fs.FileInfo
	close sync.Once
}

func (s *socket) Close() error {
	s.close.Do(func() {
		if info, err := os.Lstat(s.path); err == nil && os.SameFile(info, s.file) {
			_ = os.Remove(s.path)
		}
	})
	return s.UnixListener.Close()
}
