package main
import ("testing";"context";"os";"fmt";"io";"time")
func TestScratch(t *testing.T) {
 sc := full(); sc.upgrades=8
 w, err := openWorkshop(t.Context(), sc, os.Stderr); if err!=nil {t.Fatal(err)}
 defer w.close()
 for i := range 8 {
  var h *hosted
  f := sufferer{candidate{name:"z", start: func(ctx context.Context, w *workshop)(system,error){ s,err:=hostedShop(ctx,w); if err==nil {h=s.(*hosted)}; return s,err}}, "A", false, anything}
  b:=time.Now()
  r, err := f.suffer(t.Context(), w, scenarios()[0])
  fmt.Println(i, time.Since(b).Round(time.Millisecond), err, r.Result.String())
  if r.Failed>0 { for _,x := range r.Failures[:min(5,len(r.Failures))] { fmt.Println(x.When.Format("15:04:05.000"), x) }; h.run.output.mu.Lock(); io.Copy(os.Stdout, &h.run.output.text); h.run.output.mu.Unlock(); return }
 }
}
