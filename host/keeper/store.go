package keeper

import (
	"encoding/json"
	"fmt"
	"os"
	"sort"

	"golang.org/x/sys/unix"

	"github.com/zdhost/zdhost/host/adopt"
)

// held is one named descriptor. Its number never leaves this process: others
// get duplicates.
type held struct {
	name    string
	fd      int
	cookie  uint64   // SO_COOKIE, 0 for what is no socket
	address *Address // set for what the keeper bound
	private string   // a unix socket's own name, beside its address's path
	meta    json.RawMessage
	// listener is the rule's, for what a program's bind has opened.
	listener string
	// holders are the living children that have it from us.
	holders map[string]struct{}
}

// store is the descriptors by name and by cookie. The loop's goroutine owns it.
type store struct {
	byName   map[string]*held
	byCookie map[uint64]*held
}

func newStore() *store {
	return &store{byName: map[string]*held{}, byCookie: map[uint64]*held{}}
}

// add takes ownership of fd. A name is taken once.
func (s *store) add(name string, fd int, a *Address, meta json.RawMessage) (*held, error) {
	if name == "" {
		return nil, fmt.Errorf("cannot hold a descriptor without a name")
	}
	if s.byName[name] != nil {
		return nil, fmt.Errorf("cannot hold %q: the name is taken", name)
	}
	h := &held{name: name, fd: fd, cookie: adopt.Cookie(fd), address: a, meta: meta, holders: map[string]struct{}{}}
	s.byName[name] = h
	if h.cookie != 0 {
		s.byCookie[h.cookie] = h
	}
	return h, nil
}

func (s *store) get(name string) (*held, error) {
	if h := s.byName[name]; h != nil {
		return h, nil
	}
	return nil, fmt.Errorf("cannot find descriptor %q: %w", name, os.ErrNotExist)
}

// drop closes the keeper's copy. The path of a unix socket goes with the
// descriptor that has it.
func (s *store) drop(name string) error {
	h, err := s.get(name)
	if err != nil {
		return err
	}
	delete(s.byName, name)
	if h.cookie != 0 && s.byCookie[h.cookie] == h {
		delete(s.byCookie, h.cookie)
	}
	if h.private != "" {
		unpublish(h.private, h.address.Path)
		_ = os.Remove(h.private)
	}
	return unix.Close(h.fd)
}

// left notes that a child holds nothing any more.
func (s *store) left(child string) {
	for _, h := range s.byName {
		delete(h.holders, child)
	}
}

// list names everything, in order.
func (s *store) list() []Descriptor {
	all := make([]Descriptor, 0, len(s.byName))
	for _, h := range s.byName {
		all = append(all, Descriptor{Name: h.name, Address: h.address, Private: h.private, Listener: h.listener, Meta: h.meta})
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Name < all[j].Name })
	return all
}
