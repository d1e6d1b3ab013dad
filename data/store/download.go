package store

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"strings"

	"olmo/store"
)

// Want says what a download must be; what is zero is not checked.
type Want struct {
	Size   int64
	SHA256 string // in hexadecimal
}

// Download copies the remote file name to the path dest of this machine and
// returns its SHA-256. dest appears when it is complete and as wanted. What an
// interrupted download has left is continued if the file is still the same.
// progress (may be nil) is told of the bytes that are there and of all, -1
// when the server does not say.
func Download(ctx context.Context, name, dest string, want Want, progress func(done, total int64)) (sum string, err error) {
	in, err := Open(name)
	if err != nil {
		return "", err
	}
	defer in.Close()
	info := in.Info()
	if want.Size > 0 && info.Size >= 0 && info.Size != want.Size {
		return "", fmt.Errorf("%s has %d bytes, want %d\nhint: the server has another version of it", name, info.Size, want.Size)
	}
	// What an interrupted download left is taken only with this mark beside it.
	mark := store.Temporary(dest + ".version")
	version := fmt.Sprintf("%s %d %s\n", name, info.Size, info.Version)
	start := store.Create
	if old, err := os.ReadFile(mark); err == nil && string(old) == version && info.Size >= 0 {
		start = store.Continue
	}
	out, err := start(dest)
	if err != nil {
		return "", err
	}
	defer out.Seal() // the same command continues
	if err := store.WriteFile(mark, []byte(version)); err != nil {
		return "", err
	}
	hash := sha256.New()
	have, err := io.Copy(hash, bufio.NewReaderSize(out, 1<<20))
	if err != nil {
		return "", err
	}
	if f, ok := in.(*remoteFile); ok && have > 0 {
		f.hangUp()
		f.off = have
	} else if _, err := io.CopyN(io.Discard, in, have); err != nil {
		return "", err
	}
	buf := make([]byte, 256<<10)
	for {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		n, err := in.Read(buf)
		hash.Write(buf[:n])
		if _, err := out.Write(buf[:n]); err != nil {
			return "", err
		}
		have += int64(n)
		if progress != nil {
			progress(have, info.Size)
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return "", fmt.Errorf("fetching %s: %w\nhint: the same command continues", name, err)
		}
	}
	sum = hex.EncodeToString(hash.Sum(nil))
	if want.Size > 0 && have != want.Size || want.SHA256 != "" && !strings.EqualFold(sum, want.SHA256) {
		out.Abort()
		_ = store.Remove(mark)
		return "", fmt.Errorf("%s has %d bytes and SHA-256 %s, want %d and %s\nhint: the download is damaged, or the server has another version of it", name, have, sum, want.Size, want.SHA256)
	}
	if err := out.Commit(); err != nil {
		return "", err
	}
	return sum, store.Remove(mark)
}
