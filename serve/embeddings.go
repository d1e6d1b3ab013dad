package serve

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"net/http"

	"olmo/generate"
)

// embedding is a vector of POST /embeddings: numbers, or their bytes in base64.
type embedding struct {
	Object    string `json:"object"`
	Index     int    `json:"index"`
	Embedding any    `json:"embedding"`
}

// answerEmbeddings is POST /embeddings.
func (s *Server) answerEmbeddings(w http.ResponseWriter, r *http.Request) *failure {
	f, m, problem := s.begin(w, r)
	if problem != nil {
		return problem
	}
	prompts := m.prompts(f, "input")
	format, pooling, size := "float", "mean", m.lm.Config.C
	if f.text("encoding_format", &format) && format != "float" && format != "base64" {
		f.fail(bad("encoding_format", "encoding_format is %.40q, it must be float or base64", format))
	}
	f.text("pooling", &pooling)
	f.whole("dimensions", &size, 1, m.lm.Config.C)
	f.accept("user")
	of, err := generate.ParsePooling(pooling)
	if err != nil {
		f.fail(bad("pooling", "%v", err))
	}
	if problem := s.finish(w, f); problem != nil {
		return problem
	}
	answer := struct {
		Object      string      `json:"object"`
		Data        []embedding `json:"data"`
		Model       string      `json:"model"`
		Fingerprint string      `json:"system_fingerprint"`
		Usage       struct {
			Prompt int `json:"prompt_tokens"`
			Total  int `json:"total_tokens"`
		} `json:"usage"`
	}{Object: "list", Data: make([]embedding, len(prompts)), Model: m.name}
	if answer.Fingerprint, problem = m.mark(); problem != nil {
		return problem
	}
	for _, p := range prompts {
		if len(p) == 0 || len(p) > m.lm.Config.T {
			return tooLong("input", "a text has %d tokens, it must have 1 to %d, the model's positions", len(p), m.lm.Config.T)
		}
		answer.Usage.Prompt += len(p)
	}
	answer.Usage.Total = answer.Usage.Prompt
	leave, problem := s.place(r.Context())
	if problem != nil {
		return problem
	}
	defer leave()
	err = m.lm.Embed(r.Context(), prompts, of, func(i int, vector []float32) error {
		vector = shortened(vector, size)
		e := embedding{Object: "embedding", Index: i, Embedding: vector}
		if format == "base64" {
			var bytes []byte
			for _, x := range vector {
				bytes = binary.LittleEndian.AppendUint32(bytes, math.Float32bits(x))
			}
			e.Embedding = base64.StdEncoding.EncodeToString(bytes)
		}
		answer.Data[i] = e
		return nil
	})
	if err != nil {
		return failureOf(err)
	}
	s.metrics.prompt.Add(int64(answer.Usage.Prompt))
	visitOf(r).prompt = answer.Usage.Prompt
	writeJSON(w, http.StatusOK, answer)
	return nil
}

// shortened is the beginning of a vector, of length 1 again.
func shortened(vector []float32, size int) []float32 {
	if size == len(vector) {
		return vector
	}
	vector = vector[:size]
	var sum float64
	for _, x := range vector {
		sum += float64(float64(x) * float64(x))
	}
	out := make([]float32, size)
	for i, x := range vector {
		if sum > 0 {
			out[i] = float32(float64(x) / math.Sqrt(sum))
		}
	}
	return out
}
