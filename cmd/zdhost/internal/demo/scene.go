package demo

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/zdhost/zdhost/host/control"
)

// scene is one thing that happens to the service while the clients go on.
type scene struct {
	name string // what the table calls it
	play func(context.Context, *stage) (ended string, err error)
	want string // how it must end
}

const answersAgain = "answers again"

func scenes() []scene {
	return []scene{
		{"nothing happens", calm, "calm"},
		{"upgrade to v2", upgrade("v2"), control.EndedCommitted},
		{"upgrade to a release that exits", upgrade("bad", "--exit"), control.EndedRolledBack},
		{"upgrade to one that crashes under load", upgradeToCrash, control.EndedRolledBack},
		{"upgrade to v3", upgrade("v3"), control.EndedCommitted},
		{"rollback to v2", rollback, control.EndedCommitted},
		{"the host is killed (SIGKILL)", killHost, answersAgain},
	}
}

func calm(ctx context.Context, _ *stage) (string, error) { return "calm", wait(ctx, time.Second) }

func upgrade(release string, flags ...string) func(context.Context, *stage) (string, error) {
	return func(ctx context.Context, s *stage) (string, error) {
		outcome, err := s.client.Upgrade(ctx, control.UpgradeRequest{
			Service: service, Command: s.command(release, flags...), Dir: s.dir, Reason: "zdhost demo",
		}, s.event)
		return outcome.Ended, err
	}
}

func upgradeToCrash(ctx context.Context, s *stage) (string, error) {
	return upgrade("crashing", "--crash-after", "700ms", "--tally", s.tallyFile())(ctx, s)
}

func rollback(ctx context.Context, s *stage) (string, error) {
	outcome, err := s.client.Rollback(ctx, control.RollbackRequest{Service: service, Reason: "zdhost demo"}, s.event)
	return outcome.Ended, err
}

// killHost kills the host as nothing else could and waits for the next one.
func killHost(ctx context.Context, s *stage) (string, error) {
	before, err := s.client.Status(ctx)
	if err != nil {
		return "", err
	}
	if before.Host.PID <= 1 || before.Host.PID == before.Host.KeeperPID {
		return "", fmt.Errorf("cannot kill the host: its pid is %d", before.Host.PID)
	}
	if err := syscall.Kill(before.Host.PID, syscall.SIGKILL); err != nil {
		return "", fmt.Errorf("cannot kill the host: %w", err)
	}
	for {
		status, err := s.client.Status(ctx)
		switch {
		case err == nil && status.Host.PID != before.Host.PID && running(status):
			return answersAgain, wait(ctx, time.Second)
		case ctx.Err() != nil:
			return "", errors.Join(ctx.Err(), err)
		}
		if err := wait(ctx, pollEvery); err != nil {
			return "", err
		}
	}
}

func running(status control.Status) bool {
	for _, s := range status.Services {
		if s.Name == service {
			return s.State == control.ServiceRunning
		}
	}
	return false
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
