package zdapp

import (
	"testing"
	"testing/synctest"
)

func TestTurnstile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stile := newTurnstile()
		calls, wake := 0, make(chan struct{}, 1)
		done := make(chan struct{})
		go func() {
			defer close(done)
			for stile.enter() {
				calls++
				<-wake
				stile.leave()
			}
		}()
		synctest.Wait()
		stop := func() { wake <- struct{}{} }
		stile.pause(stop)
		if calls != 1 {
			t.Fatalf("%d calls", calls)
		}
		synctest.Wait()
		stile.pause(func() {}) // again: nobody is inside
		stile.close(func() {})
		<-done
		if stile.enter() {
			t.Error("a closed turnstile lets in")
		}
	})
}
