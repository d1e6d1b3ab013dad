package tensor_test

import (
	"crypto/sha256"
	"encoding/hex"
	"math"
	"testing"

	"olmo/tensor"
)

// ggmlInput is the input of testdata/ggml.c.
func ggmlInput() []float32 {
	v := make([]float32, 1<<19)
	s := uint64(1)
	for i := range v {
		s = s*6364136223846793005 + 1442695040888963407
		x := float32(math.Ldexp(float64(float32(int32(s>>32))), -31-i/256%24))
		switch i / 512 % 16 {
		case 7:
			x = 0
		case 9:
			x = float32(math.Abs(float64(x)))
		case 11:
			if i%32 != 0 {
				x *= 0.001
			}
		case 13:
			x = float32(math.Round(float64(x*64))) / 64
		}
		v[i] = x
	}
	return v
}

// The bytes that ggml's reference quantisers choose, and the numbers that it
// makes of them again; hashes from testdata/ggml.c.
func TestQuantizeAsGGML(t *testing.T) {
	v := ggmlInput()
	for _, c := range []struct {
		d    tensor.DType
		want string
	}{
		{tensor.Q8_0, "eb953243171a8da60e88aa973007e8410dec419eab323167581638a1dcb75473"},
		{tensor.Q4_0, "f98de07884286b8dc1e3e5b2ae9524530aca6e4649d7ccd1e6f0ad9900d2457c"},
		{tensor.Q4_1, "193d3f94d6f1ccfa10e4995309f6b6e93e2119ac943f82a9dea1aa6f5d554bda"},
		{tensor.Q5_0, "2f261fb787bce0957c2d96ec9ac4b3283f1de1744c27621416fef9097b5f9725"},
		{tensor.Q5_1, "1e2e983ec3b34b3b1ba41a6b6f02c1790562bfd4bd09d5633e4dd3618451e495"},
		{tensor.Q4_K, "5b139dd5a32958ef39f027b1f4d178aa2735f25faaf8110fbd4cfcbbcd267368"},
		{tensor.Q5_K, "85243455cc463b23587519c116f8f7ba58bb34962c7d48016eb496bdf6ef1324"},
		{tensor.Q6_K, "efd362ff88ead6cc25fbd98eff901642fad5d78c33acce318add3c5f0304a616"},
	} {
		q, err := tensor.FromFloat32([]int{len(v) / 256, 256}, v).Convert(c.d)
		if err != nil {
			t.Fatal(err)
		}
		back, err := q.Convert(tensor.F32)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(append(q.Data, back.Data...))
		if got := hex.EncodeToString(sum[:]); got != c.want {
			t.Errorf("%v: SHA-256 of blocks and numbers is %s, want %s", c.d, got, c.want)
		}
	}
}

func TestQuantizeRefuses(t *testing.T) {
	v := make([]float32, 256)
	for _, d := range []tensor.DType{tensor.Q8_0, tensor.Q4_0, tensor.Q4_1, tensor.Q5_0, tensor.Q5_1, tensor.Q4_K, tensor.Q5_K, tensor.Q6_K} {
		for _, x := range []float32{float32(math.NaN()), float32(math.Inf(-1)), math.MaxFloat32} {
			v[100] = x
			if _, err := tensor.FromFloat32([]int{256}, v).Convert(d); err == nil {
				t.Errorf("%v took %g", d, x)
			}
		}
		// The smallest numbers are lost, not turned into garbage.
		v[100] = math.SmallestNonzeroFloat32
		q, err := tensor.FromFloat32([]int{256}, v).Convert(d)
		if err != nil {
			t.Fatal(err)
		}
		back, err := q.Float32s()
		if err != nil || back[100] != 0 {
			t.Errorf("%v: %g became %g (%v)", d, v[100], back[100], err)
		}
	}
	if _, err := tensor.FromFloat32([]int{1, 32}, v[:32]).Convert(tensor.Q4_K); err == nil {
		t.Error("a row of 32 as Q4_K")
	}
	if _, err := tensor.FromFloat32([]int{256}, v).Convert(tensor.I32); err == nil {
		t.Error("F32 to I32")
	}
}

func BenchmarkQuantizeQ4_K(b *testing.B) {
	x := tensor.FromFloat32([]int{1 << 11, 256}, ggmlInput())
	for b.Loop() {
		if _, err := x.Convert(tensor.Q4_K); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(x.Data))*float64(b.N)/b.Elapsed().Seconds()/1e9, "GB/s")
}
