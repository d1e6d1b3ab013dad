package cli

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"olmo/hub/client/hubtest"
)

// TestKillHub kills a fetch and an upload six times each at random moments. In the end all is there,
// and no more went over the line again than was under way.
func TestKillHub(t *testing.T) {
	if testing.Short() {
		t.Skip("slow: a fetch and an upload are killed six times each")
	}
	t.Parallel()
	seed := *killSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-kill-seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 3))
	content := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(random.Uint32())
		}
		return b
	}
	s := hubtest.New()
	defer s.Close()
	dir := t.TempDir()
	run := func(command string, after time.Duration) (took time.Duration) {
		c := stageCommand(dir, command)
		c.Env = append(os.Environ(), "HF_ENDPOINT="+s.URL, "HF_HOME="+filepath.Join(dir, "home"), "HF_TOKEN=", "HF_HUB_OFFLINE=", "HF_HUB_CACHE=")
		var said bytes.Buffer
		c.Stderr = &said
		began := time.Now()
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		if after > 0 {
			time.Sleep(after)
			_ = c.Process.Kill()
		}
		if err := c.Wait(); err != nil && after == 0 {
			t.Fatalf("olmo %s: %v\n%s", command, err, &said)
		}
		return time.Since(began)
	}
	const kills = 6

	large := content(12 << 20)
	files := map[string]hubtest.Entry{"model.safetensors": {Content: large, LFS: true}, "config.json": {Content: []byte("{}")}}
	for i := range 20 {
		files[fmt.Sprintf("more/%d.bin", i)] = hubtest.Entry{Content: content(200_000), LFS: true}
	}
	size := int64(len(large) + 20*200_000)
	s.Put("models/lab/my-model", "main", files)
	s.Fail(hubtest.Faults{Slow: 10 * time.Millisecond})
	took := run("hub get lab/my-model --out whole", 0)
	s.Sent()
	for range kills {
		run("hub get lab/my-model --out mine", time.Duration(random.Int64N(int64(took)/3)+1))
	}
	run("hub get lab/my-model --out mine", 0)
	// On a connection 64 KiB may be with the server, in the socket, and read but not written, each; a small
	// file is fetched whole.
	if sent := s.Sent(); sent > size+kills*8*4*(64<<10) {
		t.Errorf("%d bytes were sent for %d", sent, size)
	}
	want, got := stageTree(t, filepath.Join(dir, "whole")), stageTree(t, filepath.Join(dir, "mine"))
	if len(want) != len(files) || len(got) != len(want) {
		t.Errorf("there are %d files, and %d where the fetch was killed, want %d", len(want), len(got), len(files))
	}
	for name := range want {
		if !bytes.Equal(want[name], got[name]) {
			t.Errorf("%s differs", name)
		}
	}

	upload := filepath.Join(dir, "upload")
	for i := range 40 {
		if err := os.MkdirAll(upload, 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(upload, fmt.Sprintf("%d.safetensors", i)), content(400_000), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	size = 40 * 400_000
	for range kills {
		run("hub put upload lab/mine", time.Duration(random.Int64N(int64(time.Second))+1))
	}
	run("hub put upload lab/mine", 0)
	if received := s.Received(); received > size+kills*8*400_000 {
		t.Errorf("%d bytes came for %d", received, size)
	}
	run("hub put upload lab/mine", 0)
	if received := s.Received(); received != 0 {
		t.Errorf("%d bytes came once more", received)
	}
	there := s.Files("models/lab/mine", "main")
	for name, text := range stageTree(t, upload) {
		if !bytes.Equal(there[name].Content, text) {
			t.Errorf("%s differs on the hub", name)
		}
	}
}
