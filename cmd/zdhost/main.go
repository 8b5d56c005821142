package main

import "os"

// main tells the processes of zdhost apart before anything else: all of them are
// this one binary.
func main() {
	if len(os.Args) > 1 {
		if process, ok := processes[os.Args[1]]; ok {
			os.Exit(process(os.Args[2:]))
		}
	}
	os.Exit(execute(os.Args[1:]))
}
