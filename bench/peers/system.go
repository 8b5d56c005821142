package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// system serves an address and can be brought to another release while it does. Systems start with firstRelease.
type system interface {
	address() string
	// roots are the processes that serve, each with all below it.
	roots() []int
	// upgrade returns when the system says that the release serves.
	upgrade(ctx context.Context, release string) error
	// stop ends everything that the system has started. The error is also about what went wrong unseen.
	stop() error
}

// starter starts a system and returns when it answers.
type starter func(context.Context, *workshop) (system, error)

// candidate is a system that takes part.
type candidate struct {
	name  string
	needs func(*workshop) string // path of a program that must be installed; nil: none
	start starter
}

// missing reports whether the candidate can't take part.
func (c candidate) missing(w *workshop) bool { return c.needs != nil && c.needs(w) == "" }

// firstRelease is what a system starts with.
const firstRelease = "r0"

// soon is the pause of who waits for a system to come up and does not measure it.
const soon = 2 * time.Millisecond

// alone is a program by itself.
type alone struct {
	at      string
	recipe  recipe
	process *process
}

// startAlone starts a program and waits until it answers.
func startAlone(ctx context.Context, name, address string, r recipe) (*alone, error) {
	a := &alone{at: address, recipe: r}
	if err := a.begin(ctx, name, firstRelease); err != nil {
		return nil, err
	}
	return a, nil
}

func (a *alone) begin(ctx context.Context, name, release string) error {
	p, err := spawn(name, a.recipe(release))
	if err != nil {
		return err
	}
	a.process = p
	if _, err := firstAnswer(ctx, a.at, release, soon, p.ended); err != nil {
		return errors.Join(fmt.Errorf("%w; it said: %s", err, p.output.tail()), p.stop())
	}
	return nil
}

func (a *alone) address() string { return a.at }
func (a *alone) roots() []int    { return []int{a.process.pid()} }
func (a *alone) stop() error     { return a.process.stop() }

// upgrade is what people did before: stop, then start.
func (a *alone) upgrade(ctx context.Context, release string) error {
	if err := a.process.stop(); err != nil {
		return err
	}
	return a.begin(ctx, a.process.name, release)
}

// bareNaive, bareShop and bareNginx are the servers without anything else.
func bareNaive(ctx context.Context, w *workshop) (system, error) {
	return startGo(ctx, "naive", w.naive)
}

func bareShop(ctx context.Context, w *workshop) (system, error) { return startGo(ctx, "shop", w.shop) }

func startGo(ctx context.Context, name, binary string) (system, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	return withoutNil(startAlone(ctx, name, address, goServer(binary, address)))
}

func bareNginx(ctx context.Context, w *workshop) (system, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	r, err := nginxServer(ctx, w, address)
	if err != nil {
		return nil, err
	}
	return withoutNil(startAlone(ctx, "nginx", address, r))
}

// withoutNil keeps a nil pointer from becoming a system.
func withoutNil[S system](s S, err error) (system, error) {
	if err != nil {
		return nil, err
	}
	return s, nil
}
