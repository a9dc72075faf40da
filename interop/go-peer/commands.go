package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/ipfs/go-cid"
)

// fetchLimit ends a fetch that nobody answers; the driver gives up earlier.
const fetchLimit = 10 * time.Minute

// request is one line of input. Which fields count depends on Op.
type request struct {
	Tag uint64 `json:"tag"`
	Op  string `json:"op"`
	shape
	Bytes   int64  `json:"bytes"`
	Seed    uint64 `json:"seed"`
	Entries int    `json:"entries"`
	Prefix  string `json:"prefix"`
	Addr    string `json:"addr"`
	Peer    string `json:"peer"`
	Cid     string `json:"cid"`
	Millis  int64  `json:"millis"`
}

// lines writes one JSON object per line from any goroutine.
type lines struct {
	mutex sync.Mutex
	json  *json.Encoder
}

func newLines(w io.Writer) *lines { return &lines{json: json.NewEncoder(w)} }

func (l *lines) write(answer map[string]any) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	_ = l.json.Encode(answer)
}

// serve answers requests until the input ends or asks to quit. Each runs on
// its own: a disconnect must be possible while a fetch is under way.
func serve(ctx context.Context, p *gopeer, in io.Reader, out *lines) error {
	input := bufio.NewScanner(in)
	for input.Scan() {
		var r request
		if err := json.Unmarshal(input.Bytes(), &r); err != nil {
			return fmt.Errorf("a line of input is no request: %w", err)
		}
		if r.Op == "quit" {
			return nil
		}
		go func() {
			answer, err := p.answer(ctx, r)
			if err != nil {
				answer = map[string]any{"error": err.Error()}
			}
			answer["tag"] = r.Tag
			out.write(answer)
		}()
	}
	return input.Err()
}

func (p *gopeer) answer(ctx context.Context, r request) (map[string]any, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchLimit)
	defer cancel()
	done := map[string]any{}
	switch r.Op {
	case "add":
		root, err := p.addFile(ctx, newContent(r.Seed, r.Bytes), r.shape)
		if err != nil {
			return nil, err
		}
		done["cid"] = root.Cid().String()
	case "addDir":
		root, err := p.addDirectory(ctx, r.Prefix, r.Entries, r.Seed, r.shape)
		if err != nil {
			return nil, err
		}
		done["cid"] = root.String()
	case "fetch":
		root, err := cid.Decode(r.Cid)
		if err != nil {
			return nil, err
		}
		got, err := p.fetch(ctx, root)
		if err != nil {
			return nil, err
		}
		done["bytes"], done["sha256"] = got.Bytes, got.Sha256
	case "connect":
		return done, p.connect(ctx, r.Addr)
	case "disconnect":
		return done, p.disconnect(r.Peer)
	case "pace":
		p.blocks.pause.Store(int64(time.Duration(r.Millis) * time.Millisecond))
	case "stat":
		done["read"], done["written"] = p.blocks.read.Load(), p.blocks.written.Load()
		done["connections"], done["opened"] = len(p.host.Network().Conns()), p.opened.Load()
	default:
		return nil, fmt.Errorf("unknown op %q", r.Op)
	}
	return done, nil
}
