package control
import ("testing";"context";"time")
func TestAdhocLong(t *testing.T) {
	dir := stateDir(t)
	start(t, dir, &fakeBackend{change: func(ctx context.Context, emit Emit) (Outcome, error) {
		emit(RolloutEvent{Rollout: "r1"})
		select { case <-ctx.Done(): return Outcome{}, ctx.Err(); case <-time.After(13*time.Second): }
		emit(RolloutEvent{Rollout: "r1"})
		return Outcome{Ended: "committed"}, nil
	}})
	o, err := dial(t, dir).Upgrade(deadline(t), UpgradeRequest{Service: "shop", Reason: "x"}, ignore)
	if err != nil || o.Ended != "committed" { t.Fatal(o, err) }
}
