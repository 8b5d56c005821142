package main
import ("testing";"context";"os";"os/exec";"fmt";"time";"strings";"github.com/zdhost/zdhost/host/control";"encoding/json")
func TestScratch(t *testing.T) {
 sc := full(); sc.upgrades=8
 w, err := openWorkshop(t.Context(), sc, os.Stderr); if err!=nil {t.Fatal(err)}
 defer w.close()
 for i := range 8 {
  var h *hosted
  f := sufferer{candidate{name:"z", start: func(ctx context.Context, w *workshop)(system,error){ s,err:=hostedShop(ctx,w); if err==nil {h=s.(*hosted)}; return s,err}}, "A", false, anything}
  b:=time.Now()
  stop := make(chan bool)
  go func(){ select { case <-stop: return; case <-time.After(6*time.Second): }
    st,_ := h.client.Status(context.Background()); js,_ := json.MarshalIndent(st,"","  "); fmt.Println(string(js))
    _, port, _ := strings.Cut(h.at, ":")
    o,_ := exec.Command("ss","-tanpeo","( sport = :"+port+" ) and not state time-wait").CombinedOutput(); fmt.Println(string(o))
    o,_ = exec.Command("ss","-tlnpe","sport = :"+port).CombinedOutput(); fmt.Println(string(o))
    for _, s := range st.Services { for _, in := range s.Instances { if in.State==control.InstanceDraining || in.Generation != s.Generation { exec.Command("kill","-QUIT",fmt.Sprint(in.PID)).Run() } } }
    time.Sleep(500*time.Millisecond)
    o,_ = exec.Command(w.zdhost,"logs",service,"--state-dir",h.state()).CombinedOutput(); fmt.Println(string(o))
  }()
  r, err := f.suffer(t.Context(), w, scenarios()[0]); close(stop)
  fmt.Println(i, time.Since(b).Round(time.Millisecond), err, r.Result.String())
  if r.Failed>0 { for _,x := range r.Failures[:min(16,len(r.Failures))] { fmt.Println(x) }; return }
 }
}
