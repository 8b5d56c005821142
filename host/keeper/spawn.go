package keeper

import (
	"encoding/json"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// spawn replies once the program runs or can't be started.
func (k *Keeper) spawn(m message) {
	var spec Spawn
	err := json.Unmarshal(m.Body, &spec)
	if err == nil && k.children[spec.ID] != nil {
		err = fmt.Errorf("cannot start %q: a child has that id", spec.ID)
	}
	if err == nil && k.stopping {
		err = fmt.Errorf("cannot start %q: everything is being stopped", spec.ID)
	}
	var lanes []int
	if err == nil && spec.Sockets == "inherit" {
		_, lanes, err = k.fetch(namesRequest{Names: descriptorsOf(spec.Rules)})
		k.makeBlocking(spec.Rules)
	}
	if err == nil {
		spec.Cgroup, err = k.groups.group(spec.ID, spec.Limits)
	}
	if err != nil {
		k.reply(m, nil, nil, err)
		return
	}
	c, err := start(spec, lanes, k.opts.RunDir, func(l launched) { k.post(func() { k.launched(m, l) }) })
	if err != nil {
		endGroup(spec.Cgroup)
		k.reply(m, nil, nil, err)
		return
	}
	c.launching, c.unenforced = true, k.groups.unenforced(spec.Limits, spec.Cgroup)
	k.children[spec.ID], k.byPID[c.pid] = c, c
	if spec.Sockets == "inherit" {
		for _, r := range spec.Rules {
			k.store.byName[r.Descriptor].holders[spec.ID] = struct{}{}
		}
	}
}

// makeBlocking gives inherited lanes the mode in which systemd passes sockets
// (systemd.socket(5), NonBlocking=), unless a process holds them already: the
// mode belongs to all that share a socket.
func (k *Keeper) makeBlocking(rules []Rule) {
	for _, r := range rules {
		if h := k.store.byName[r.Descriptor]; h != nil && len(h.holders) == 0 {
			_ = unix.SetNonblock(h.fd, false)
		}
	}
}

func descriptorsOf(rules []Rule) []string {
	names := make([]string, len(rules))
	for i, r := range rules {
		names[i] = r.Descriptor
	}
	return names
}

// launched ends a launch. Where the host that asked for it is gone, the next one
// finds the child in the answer to its hello, or, if that was sent already, would
// never know of it: then there is no such child.
func (k *Keeper) launched(m message, l launched) {
	c := l.child
	c.launching, c.notify = false, l.notify
	if k.children[c.spec.ID] != c {
		if c.notify >= 0 {
			_ = unix.Close(c.notify)
		}
		k.reply(m, nil, nil, fmt.Errorf("cannot start %q: it was to be forgotten", c.spec.ID))
		return
	}
	if l.err == nil && m.epoch != k.host.epoch && k.host.hello {
		l.err = errors.New("cannot start it: the host that asked is gone")
	}
	if l.err == nil && c.notify >= 0 {
		l.err = k.watch.add(c.notify, func() { k.notified(c) })
	}
	if l.err != nil {
		k.forget(c)
		k.reply(m, nil, nil, l.err)
		k.endIfEmpty()
		return
	}
	k.reply(m, c.state(), nil, nil)
	if c.exit != nil {
		k.announce(c)
	}
}
