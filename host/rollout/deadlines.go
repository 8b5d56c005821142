package rollout

import "time"

// Deadlines are how long each kind of wait may last. A zero field takes the
// default of DefaultDeadlines, except Hold and Rollout, where it means none.
type Deadlines struct {
	// Gate: the gate's answer. Then: denied before there is a candidate, held after.
	Gate time.Duration `json:"gate"`
	// Approval: an approval that the gate asked for. Then: denied.
	Approval time.Duration `json:"approval"`
	// Hook: a hook's end. Then: as if it had failed.
	Hook time.Duration `json:"hook"`
	// Strategy: a strategy's answer. Then: as if it had failed.
	Strategy time.Duration `json:"strategy"`
	// Ready: the candidate's readiness. Then: back to the old generation.
	Ready time.Duration `json:"ready"`
	// Weights: weights in force. Then: back to the old generation; while
	// returning: again.
	Weights time.Duration `json:"weights"`
	// Hold: someone who ends a hold. Then: back to the old generation.
	Hold time.Duration `json:"hold"`
	// Rollout: the whole rollout, without the time in which it waits for a
	// person or until a time. Then: back to the old generation.
	Rollout time.Duration `json:"rollout"`
}

// DefaultDeadlines are the deadlines that hold where none are given.
func DefaultDeadlines() Deadlines {
	return Deadlines{
		Gate:     10 * time.Second,
		Approval: 24 * time.Hour,
		Hook:     time.Minute,
		Strategy: 10 * time.Second,
		Ready:    30 * time.Second,
		Weights:  10 * time.Second,
	}
}

// orDefault fills in what was not given.
func (d Deadlines) orDefault() Deadlines {
	def := DefaultDeadlines()
	pick := func(given *time.Duration, fallback time.Duration) {
		if *given <= 0 {
			*given = fallback
		}
	}
	pick(&d.Gate, def.Gate)
	pick(&d.Approval, def.Approval)
	pick(&d.Hook, def.Hook)
	pick(&d.Strategy, def.Strategy)
	pick(&d.Ready, def.Ready)
	pick(&d.Weights, def.Weights)
	return d
}

const (
	// maxRetries is how often a failed strategy is asked again before the
	// rollout waits for an operator. The pauses double from firstRetry to
	// lastRetry, two minutes in all.
	maxRetries = 8
	firstRetry = time.Second
	lastRetry  = 30 * time.Second

	// maxReturns is how often giving the weight back is tried, returnPause
	// after the last failure.
	maxReturns  = 10
	returnPause = time.Second

	// restartGrace is what every deadline has left at least when the host has
	// restarted, so that what happened meanwhile is seen first.
	restartGrace = 2 * time.Second

	// maxTail and maxLine bound the log lines that are kept, in lines and bytes.
	maxTail = 50
	maxLine = 4096
)

// retryPause is the pause before the nth retry, counted from 1.
func retryPause(n int) time.Duration {
	pause := firstRetry
	for ; n > 1 && pause < lastRetry; n-- {
		pause *= 2
	}
	return min(pause, lastRetry)
}
