package keeper

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sort"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/zdhost/zdhost/host/adopt"
	"github.com/zdhost/zdhost/internal/seqpacket"
)

// Bodies of the smaller requests and replies.
type (
	helloRequest struct {
		Version int `json:"version"`
	}
	stashRequest struct {
		Name string          `json:"name"`
		Meta json.RawMessage `json:"meta,omitempty"`
	}
	bindReply struct {
		Private string `json:"private,omitempty"`
	}
	namesRequest struct {
		Names []string `json:"names"`
	}
	rulesRequest struct {
		Child string `json:"child"`
		Rules []Rule `json:"rules"`
	}
	signalRequest struct {
		Child  string         `json:"child"`
		Signal syscall.Signal `json:"signal"`
		Group  bool           `json:"group"`
	}
	shutdownRequest struct {
		Code int `json:"code"`
	}
)

// serve answers one request of the host; the message's descriptors are ours.
func (k *Keeper) serve(m message) {
	if !k.host.hello && m.Kind != kindHello {
		seqpacket.CloseAll(m.fds)
		k.reply(m, nil, nil, errNoHello)
		return
	}
	if m.Kind != kindStash {
		seqpacket.CloseAll(m.fds)
	}
	switch m.Kind {
	case kindHello:
		answer(k, m, k.welcome)
	case kindBind:
		answer(k, m, k.bind)
	case kindPublish:
		answer(k, m, k.publish)
	case kindStash:
		answer(k, m, func(r stashRequest) (any, []int, error) { return k.stash(r, m.fds) })
	case kindFetch:
		answer(k, m, k.fetch)
	case kindDrop:
		answer(k, m, k.drop)
	case kindSpawn:
		k.spawn(m)
	case kindRules:
		answer(k, m, k.rules)
	case kindSignal:
		answer(k, m, k.signalChild)
	case kindForget:
		answer(k, m, k.forgetAll)
	case kindServing:
		k.host.served = true
		k.reply(m, nil, nil, nil)
	case kindShutdown:
		answer(k, m, k.shutdown)
	default:
		k.reply(m, nil, nil, fmt.Errorf("cannot serve %q: this keeper doesn't know it", m.Kind))
	}
}

// answer decodes a request, has f do it, and replies. Descriptors that f returns
// stay the keeper's; the host gets duplicates.
func answer[T any](k *Keeper, m message, f func(T) (any, []int, error)) {
	var req T
	if err := json.Unmarshal(m.Body, &req); err != nil {
		k.reply(m, nil, nil, fmt.Errorf("cannot read request %q: %w", m.Kind, err))
		return
	}
	body, fds, err := f(req)
	k.reply(m, body, fds, err)
}

// reply answers the host that asked; one that came after it has not.
func (k *Keeper) reply(m message, body any, fds []int, err error) {
	if m.epoch != k.host.epoch {
		return
	}
	r := message{ID: m.ID, Kind: m.Kind, Error: wireError(err)}
	if err == nil && body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			r.Error = wireError(err)
		}
		r.Body = b
	}
	if r.Error == nil {
		for _, fd := range fds {
			dup, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
			if err != nil {
				seqpacket.CloseAll(r.fds)
				r.fds, r.Body, r.Error = nil, nil, wireError(err)
				break
			}
			r.fds = append(r.fds, dup)
		}
	}
	k.host.send(r)
}

func (k *Keeper) welcome(r helloRequest) (any, []int, error) {
	if r.Version < Version-1 || r.Version > Version {
		return nil, nil, fmt.Errorf("cannot serve a host of protocol version %d: this keeper speaks %d", r.Version, Version)
	}
	k.host.hello = true
	w := Welcome{Version: Version, KeeperPID: os.Getpid(), Started: k.started, Restarts: k.host.restarts, Descriptors: k.store.list()}
	for _, c := range k.children {
		if !c.launching {
			w.Children = append(w.Children, c.state())
		}
	}
	sort.Slice(w.Children, func(i, j int) bool { return w.Children[i].Started.Before(w.Children[j].Started) })
	if k.stopping {
		k.post2(func() { k.tellStop(false) })
	}
	return w, nil, nil
}

// post2 hands f to the loop from the loop itself: after what is going on now.
func (k *Keeper) post2(f func()) { go k.post(f) }

func (k *Keeper) bind(r BindRequest) (any, []int, error) {
	h, err := k.hold(r.Name, r.Address, r.First, r.Meta)
	if err != nil {
		return nil, nil, err
	}
	if r.Address.local() && r.Address.Network != "unix" { // nobody waits for its turn
		if err := publish(h.private, r.Address.Path); err != nil {
			_ = k.store.drop(r.Name)
			return nil, nil, fmt.Errorf("cannot bind %s: %w", r.Address, err)
		}
	}
	return bindReply{Private: h.private}, []int{h.fd}, nil
}

// hold binds a socket and keeps it under a name.
func (k *Keeper) hold(name string, a Address, first bool, meta json.RawMessage) (*held, error) {
	if k.store.byName[name] != nil {
		return nil, fmt.Errorf("cannot hold %q: the name is taken", name)
	}
	fd, private, err := bind(a, first)
	if err != nil {
		return nil, err
	}
	h, err := k.store.add(name, fd, &a, meta)
	if err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	h.private = private
	return h, nil
}

// publish gives a unix listener's path to one of its sockets.
func (k *Keeper) publish(r namesRequest) (any, []int, error) {
	for _, name := range r.Names {
		h, err := k.store.get(name)
		if err != nil {
			return nil, nil, err
		}
		if h.private == "" {
			return nil, nil, fmt.Errorf("cannot publish %q: it is no unix socket", name)
		}
		if err := publish(h.private, h.address.Path); err != nil {
			return nil, nil, fmt.Errorf("cannot publish %s: %w", h.address, err)
		}
	}
	return nil, nil, nil
}

func (k *Keeper) stash(r stashRequest, fds []int) (any, []int, error) {
	if len(fds) != 1 {
		seqpacket.CloseAll(fds)
		return nil, nil, fmt.Errorf("cannot hold %q: %d descriptors came", r.Name, len(fds))
	}
	if _, err := k.store.add(r.Name, fds[0], nil, r.Meta); err != nil {
		seqpacket.CloseAll(fds)
		return nil, nil, err
	}
	return nil, nil, nil
}

func (k *Keeper) fetch(r namesRequest) (any, []int, error) {
	fds := make([]int, 0, len(r.Names))
	for _, name := range r.Names {
		h, err := k.store.get(name)
		if err != nil {
			return nil, nil, err
		}
		fds = append(fds, h.fd)
	}
	return nil, fds, nil
}

func (k *Keeper) drop(r namesRequest) (any, []int, error) {
	for _, name := range r.Names {
		if err := k.store.drop(name); err != nil {
			return nil, nil, err
		}
	}
	return nil, nil, nil
}

// notified answers one waiting call of c.
func (k *Keeper) notified(c *child) {
	if c.notify < 0 {
		return
	}
	waiting, over := look(c.notify)
	if over {
		k.unwatch(c)
	}
	if !waiting {
		return
	}
	err := adopt.Serve(c.notify, book{k: k, c: c})
	if err != nil && !errors.Is(err, adopt.ErrGone) && !errors.Is(err, unix.EINTR) {
		k.tell(Event{Kind: EventFailed, Child: c.spec.ID, Reason: err.Error()}, -1)
		k.unwatch(c)
	}
}

func (k *Keeper) rules(r rulesRequest) (any, []int, error) {
	c := k.children[r.Child]
	if c == nil {
		return nil, nil, fmt.Errorf("cannot change the rules of %q: no such child", r.Child)
	}
	c.spec.Rules = r.Rules
	return nil, nil, nil
}

func (k *Keeper) signalChild(r signalRequest) (any, []int, error) {
	c := k.children[r.Child]
	if c == nil {
		return nil, nil, fmt.Errorf("cannot signal %q: no such child", r.Child)
	}
	return nil, nil, c.signal(r.Signal, r.Group)
}

func (k *Keeper) forgetAll(r namesRequest) (any, []int, error) {
	for _, id := range r.Names {
		if c := k.children[id]; c != nil {
			k.forget(c)
		}
	}
	return nil, nil, nil
}

func (k *Keeper) shutdown(r shutdownRequest) (any, []int, error) {
	k.code, k.stopping = r.Code, true
	k.post2(func() { k.ended = true })
	return nil, nil, nil
}

// unwatch ends the watching of a program whose notifications are over or can't
// be read; with the descriptor goes the filter's listener.
func (k *Keeper) unwatch(c *child) {
	k.watch.remove(c.notify)
	_ = unix.Close(c.notify)
	c.notify = -1
}

// look tells whether a call waits for its answer, and whether none can come any
// more because the last process under the filter is gone.
func look(fd int) (waiting, over bool) {
	p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	if n, err := unix.Poll(p, 0); err != nil || n != 1 {
		return false, false
	}
	waiting = p[0].Revents&unix.POLLIN != 0
	return waiting, !waiting && p[0].Revents&(unix.POLLHUP|unix.POLLERR) != 0
}
