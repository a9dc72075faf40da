// Command go-peer is the Go half of the interop cells: a bitswap peer on boxo
// and go-libp2p that another process drives over its standard input and output.
//
// It listens on loopback only, keeps its blocks in memory, knows no routing
// and ends when its input ends. The lines it speaks are described in
// interop/README.md and are the same as those of helia-peer.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
)

func main() {
	transport := flag.String("transport", "tcp", "the one transport to listen and dial on: tcp or quic")
	flag.Parse()
	if err := run(*transport); err != nil {
		fmt.Fprintln(os.Stderr, "go-peer:", err)
		os.Exit(1)
	}
}

func run(transport string) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	peer, err := startPeer(ctx, transport)
	if err != nil {
		return err
	}
	defer peer.close()

	out := newLines(os.Stdout)
	out.write(map[string]any{"id": peer.host.ID().String(), "addrs": peer.addrs()})
	return serve(ctx, peer, os.Stdin, out)
}
