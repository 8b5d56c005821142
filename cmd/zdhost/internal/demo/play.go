package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/zdhost/zdhost/bench/load"
	"github.com/zdhost/zdhost/cmd/zdhost/internal/view"
	"github.com/zdhost/zdhost/host/control"
)

// sceneTimeout is far more than any scene needs.
const sceneTimeout = time.Minute

// Play runs the demo with the binary at program, writes the table to out and progress to event, and
// returns an error if something ended as it must not, or a request was lost.
func Play(ctx context.Context, program string, out io.Writer, event control.Emit) error {
	s, err := raise(ctx, program, event)
	if s == nil {
		return fmt.Errorf("cannot play the demo: %w", err)
	}
	if err == nil {
		err = s.play(ctx, out)
	}
	err = errors.Join(err, s.strike(err != nil))
	if err != nil {
		return fmt.Errorf("cannot play the demo: %w (%s is kept)", err, s.dir)
	}
	return nil
}

func (s *stage) play(ctx context.Context, out io.Writer) error {
	fmt.Fprintf(out, "%d clients ask http://%s, one connection a request, never twice\n\n", clients, s.address)
	fmt.Fprintf(out, rowFormat, "WHAT HAPPENS", "ENDED", "TOOK", "REQUESTS", "FAILED", "ANSWERED BY")
	audience := seat(ctx, s.address)
	err := s.playScenes(ctx, out, audience)
	result, problem := audience.leave()
	if err = errors.Join(err, problem); err != nil {
		return err
	}
	return verdict(out, result, s.forgiven())
}

const rowFormat = "%-40s %-13s %7s %9s %7s  %s\n"

func (s *stage) playScenes(ctx context.Context, out io.Writer, audience *audience) error {
	for i, scene := range scenes() {
		if i > 0 {
			audience.next()
		}
		begun := time.Now()
		ended, err := s.playScene(ctx, scene)
		seen := audience.now()
		fmt.Fprintf(out, rowFormat, scene.name, view.Ended(ended), view.Took(time.Since(begun)),
			fmt.Sprint(seen.asked), fmt.Sprint(seen.failed), seen.answeredBy())
		if err != nil {
			return fmt.Errorf("%s: %w", scene.name, err)
		}
		if ended != scene.want {
			return fmt.Errorf("%s: it ended as %q, not %q", scene.name, ended, scene.want)
		}
	}
	return nil
}

func (s *stage) playScene(ctx context.Context, scene scene) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, sceneTimeout)
	defer cancel()
	return scene.play(ctx, s)
}

// verdict writes what the clients lost. Requests that a crashed candidate had accepted are its own
// loss; nobody could have answered them.
func verdict(out io.Writer, result load.Result, forgiven int) error {
	crashed := min(result.Failed, forgiven)
	lost := result.Failed - crashed
	fmt.Fprintf(out, "\n%d requests, slowest %v\n", result.Requests, result.Latency.Max().Round(time.Millisecond))
	if crashed > 0 {
		fmt.Fprintf(out, "%d failed that the crashed candidate had accepted (it had at most %d)\n", crashed, forgiven)
	}
	fmt.Fprintf(out, "lost: %d\n", lost)
	if lost > 0 {
		return fmt.Errorf("%d requests were lost: %s", lost, result)
	}
	if result.Requests == 0 {
		return errors.New("the clients asked nothing")
	}
	return nil
}
