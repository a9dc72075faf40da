package main

import (
	"crypto/sha256"
	"fmt"
	"io"
	"strconv"
)

// content reads the file that a seed and a length name: the first bytes of
// SHA-256("seed/0") || SHA-256("seed/1") || … Each side of a cell can make it
// for itself, so only hashes have to be compared.
type content struct {
	seed uint64
	next uint64 // index of the next digest
	rest int64  // bytes still to be given out
	have []byte // what is left of the last digest
}

func newContent(seed uint64, length int64) *content {
	return &content{seed: seed, rest: length}
}

func (c *content) Read(p []byte) (int, error) {
	if c.rest == 0 {
		return 0, io.EOF
	}
	n := 0
	for n < len(p) && c.rest > 0 {
		if len(c.have) == 0 {
			c.have = c.digest()
		}
		take := int(min(int64(len(p)-n), int64(len(c.have)), c.rest))
		copy(p[n:], c.have[:take])
		c.have = c.have[take:]
		c.rest -= int64(take)
		n += take
	}
	return n, nil
}

func (c *content) digest() []byte {
	text := strconv.AppendUint(nil, c.seed, 10)
	text = append(text, '/')
	sum := sha256.Sum256(strconv.AppendUint(text, c.next, 10))
	c.next++
	return sum[:]
}

// entryName and entryContent say what a generated directory holds at index i.
// No entry is empty: boxo does not serve an empty raw block.
func entryName(prefix string, i int) string { return fmt.Sprintf("%s%05d", prefix, i) }

func entryContent(seed uint64, i int) *content {
	return newContent(seed+uint64(i), int64(1+i%1024))
}
