package lm

import (
	"olmo/generate"
	"olmo/internal/memory"
)

// jobMemory is up to how many bytes the keys and values of a job take that does not say it: what begins alike
// follows each other there, so that little has to be kept.
const jobMemory = 1 << 30

// engine is what all that is asked of the model runs in; memory are the bytes of its keys and values, 0: those
// of Options, those that it has, or the engine's own.
func (m *Model) engine(memory int64) (*generate.Engine, error) {
	if memory == 0 {
		memory = m.bound
	}
	if m.running != nil && (memory == 0 || memory == m.memory) {
		return m.running, nil
	}
	if m.running != nil {
		m.running.Close()
	}
	o := generate.Options{Memory: memory, Precision: m.precision, KV: m.kv, NoGuesses: m.noGuesses}
	for _, a := range m.adapters {
		o.Adapters = append(o.Adapters, &a.Adapters)
	}
	if m.draft != nil {
		draft, err := m.draft.job(0)
		if err != nil {
			return nil, err
		}
		o.Draft = draft
	}
	err := m.with(func() (err error) {
		m.running, err = generate.New(m.Config, m.Device, o)
		return err
	})
	if err != nil {
		return nil, err
	}
	m.memory = memory
	return m.running, nil
}

// job is engine for many requests at once.
func (m *Model) job(bytes int64) (*generate.Engine, error) {
	if bytes == 0 && m.bound == 0 && m.running == nil {
		bytes = jobMemory
		if free, known := memory.Available(); known {
			bytes = min(bytes, int64(free/4))
		}
	}
	return m.engine(bytes)
}
