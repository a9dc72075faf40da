package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/ipfs/boxo/ipld/merkledag"
	"github.com/ipfs/boxo/ipld/unixfs"
	uio "github.com/ipfs/boxo/ipld/unixfs/io"
	"github.com/ipfs/go-cid"
	ipld "github.com/ipfs/go-ipld-format"
)

// fetchers is how many files of a directory are asked for at the same time.
// boxo's client waits some 20 ms before each wantlist, so one at a time would
// make a directory of thousands a matter of minutes.
const fetchers = 128

// fetched is what a fetch reports: a length and a hash of the content.
type fetched struct {
	Bytes  int64
	Sha256 string
}

// fetch reads a whole file or a directory of files.
func (p *gopeer) fetch(ctx context.Context, root cid.Cid) (fetched, error) {
	session := merkledag.NewSession(ctx, p.dag)
	node, err := session.Get(ctx, root)
	if err != nil {
		return fetched{}, err
	}
	if isDirectory(node) {
		return fetchDirectory(ctx, session, p.dag, node)
	}
	return fetchFile(ctx, session, node)
}

func isDirectory(node ipld.Node) bool {
	// A raw block has no UnixFS header: it is a file.
	fs, err := unixfs.ExtractFSNode(node)
	return err == nil && fs.IsDir()
}

func fetchFile(ctx context.Context, from ipld.NodeGetter, node ipld.Node) (fetched, error) {
	file, err := uio.NewDagReader(ctx, node, from)
	if err != nil {
		return fetched{}, err
	}
	defer file.Close()
	hash := sha256.New()
	n, err := io.Copy(hash, file)
	return fetched{Bytes: n, Sha256: hex.EncodeToString(hash.Sum(nil))}, err
}

// fetchDirectory hashes the sorted lines "name NUL sha256 newline".
func fetchDirectory(ctx context.Context, from ipld.NodeGetter, dag ipld.DAGService, node ipld.Node) (fetched, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	dir, err := uio.NewDirectoryFromNode(dag, node)
	if err != nil {
		return fetched{}, err
	}
	links, err := dir.Links(ctx)
	if err != nil {
		return fetched{}, err
	}

	var (
		work  = make(chan *ipld.Link)
		mutex sync.Mutex
		lines = make([]string, 0, len(links))
		total int64
		first error
		wait  sync.WaitGroup
	)
	for range fetchers {
		wait.Go(func() {
			for link := range work {
				got, err := fetchLink(ctx, from, link)
				mutex.Lock()
				if err != nil && first == nil {
					first = fmt.Errorf("%s: %w", link.Name, err)
					cancel()
				}
				total += got.Bytes
				lines = append(lines, link.Name+"\x00"+got.Sha256+"\n")
				mutex.Unlock()
			}
		})
	}
	for _, link := range links {
		work <- link
	}
	close(work)
	wait.Wait()

	slices.Sort(lines)
	hash := sha256.New()
	for _, line := range lines {
		io.WriteString(hash, line)
	}
	return fetched{Bytes: total, Sha256: hex.EncodeToString(hash.Sum(nil))}, first
}

func fetchLink(ctx context.Context, from ipld.NodeGetter, link *ipld.Link) (fetched, error) {
	node, err := from.Get(ctx, link.Cid)
	if err != nil {
		return fetched{}, err
	}
	return fetchFile(ctx, from, node)
}
