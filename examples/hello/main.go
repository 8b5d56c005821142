// Hello is a web server that can be upgraded without its clients noticing.
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"

	"github.com/zdhost/zdhost/zdapp"
)

func main() {
	http.HandleFunc("/", hello)
	if err := zdapp.Run(context.Background(), &http.Server{}); err != nil {
		log.Fatal(err)
	}
}

func hello(w http.ResponseWriter, _ *http.Request) {
	fmt.Fprintf(w, "hello from process %d\n", os.Getpid())
}
