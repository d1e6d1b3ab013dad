package train_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"olmo/device/cpu"
	"olmo/train"
)

// A run from a config, and its continuation.
func Example() {
	dir, err := os.MkdirTemp("", "train")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	for _, stop := range []string{"stop_at=2", "stop_at=4"} {
		cfg, err := train.LoadConfig("testdata/tiny.yaml", []string{"save_folder=" + dir, "try_load_latest_save=true", stop})
		if err != nil {
			log.Fatal(err)
		}
		dev, err := cpu.New()
		if err != nil {
			log.Fatal(err)
		}
		t, err := train.New(cfg, dev, train.Options{Progress: func(p train.Progress) { fmt.Println("step", p.Step, "tokens", p.Tokens) }})
		if err != nil {
			log.Fatal(err)
		}
		r, err := t.Run(context.Background())
		if err != nil {
			log.Fatal(err)
		}
		if err := t.Close(); err != nil {
			log.Fatal(err)
		}
		fmt.Println(r.Reason)
	}
	// Output:
	// step 1 tokens 280
	// step 2 tokens 560
	// finished
	// step 3 tokens 840
	// step 4 tokens 1120
	// finished
}
