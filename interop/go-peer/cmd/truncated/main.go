// Command truncated reads one streaming answer of an RPC that is known to fail
// in the middle, the way any Go client does: net/http, no TE header. It prints
// how the failure showed:
//
//	{"bytes":N,"outcome":"trailer"|"broken"|"error"|"clean","detail":"…"}
//
// "clean" is the wrong answer: truncated data that looks complete.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

type report struct {
	Bytes   int64  `json:"bytes"`
	Outcome string `json:"outcome"`
	Detail  string `json:"detail"`
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: truncated URL")
		os.Exit(2)
	}
	r := read(os.Args[1])
	_ = json.NewEncoder(os.Stdout).Encode(r)
	if r.Outcome == "clean" {
		os.Exit(1)
	}
}

func read(url string) report {
	client := http.Client{Timeout: 2 * time.Minute}
	answer, err := client.Post(url, "", nil)
	if err != nil {
		return report{Outcome: "broken", Detail: err.Error()}
	}
	defer answer.Body.Close()
	n, err := io.Copy(io.Discard, answer.Body)
	// A trailer is there only once the body has been read to its end.
	message := answer.Trailer.Get("X-Stream-Error")
	switch {
	case err != nil:
		return report{Bytes: n, Outcome: "broken", Detail: err.Error()}
	case message != "":
		return report{Bytes: n, Outcome: "trailer", Detail: message}
	case answer.StatusCode != http.StatusOK:
		return report{Bytes: n, Outcome: "error", Detail: answer.Status}
	default:
		return report{Bytes: n, Outcome: "clean", Detail: "the answer ended as if it were whole"}
	}
}
