package control

import (
	"context"
	"fmt"
	"net"
	"os/user"
	"slices"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Actor is who asked, as the kernel says (SO_PEERCRED), not as the client claims. Name is empty for
// a user without one. PID is 0 for a process in a PID namespace that the host can't see.
type Actor struct {
	UID  uint32 `json:"uid"`
	GID  uint32 `json:"gid"`
	PID  int    `json:"pid,omitempty"`
	Name string `json:"name"`
}

// peer is an actor with the groups that count for access.
type peer struct {
	actor  Actor
	groups []uint32
	err    error // why the kernel did not say
}

type peerKey struct{}

// peerOf reads the other end's credentials, as they were when it connected.
func peerOf(conn net.Conn) peer {
	unixConn, ok := conn.(*net.UnixConn)
	if !ok {
		return peer{err: fmt.Errorf("a %s connection has no credentials", conn.RemoteAddr().Network())}
	}
	raw, err := unixConn.SyscallConn()
	if err != nil {
		return peer{err: err}
	}
	var p peer
	if err := raw.Control(func(fd uintptr) { p = credentials(int(fd)) }); err != nil {
		return peer{err: err}
	}
	return p
}

func credentials(fd int) peer {
	ucred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return peer{err: err}
	}
	p := peer{actor: Actor{UID: ucred.Uid, GID: ucred.Gid, PID: int(ucred.Pid)}}
	if u, err := user.LookupId(strconv.FormatUint(uint64(ucred.Uid), 10)); err == nil {
		p.actor.Name = u.Username
	}
	p.groups = append(supplementaryGroups(fd), ucred.Gid)
	return p
}

// supplementaryGroups returns nil when the kernel doesn't say; the primary group is known anyway.
func supplementaryGroups(fd int) []uint32 {
	groups := make([]uint32, 256)
	for {
		size := uint32(len(groups) * 4)
		_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_PEERGROUPS,
			uintptr(unsafe.Pointer(&groups[0])), uintptr(unsafe.Pointer(&size)), 0)
		if errno == unix.ERANGE && size > uint32(len(groups)*4) {
			groups = make([]uint32, size/4)
			continue
		}
		if errno != 0 {
			return nil
		}
		return groups[:size/4]
	}
}

// mayControl reports whether a peer may speak to a host that runs as uid and has given the group a
// say. A peer that is not known may not.
func (p peer) mayControl(uid uint32, group *uint32) bool {
	if p.err != nil {
		return false
	}
	return p.actor.UID == 0 || p.actor.UID == uid || group != nil && slices.Contains(p.groups, *group)
}

func actorOf(ctx context.Context) Actor { return ctx.Value(peerKey{}).(peer).actor }
