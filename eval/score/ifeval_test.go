package score

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestInstructions(t *testing.T) {
	for _, c := range []struct {
		name, options, response string
		strict, loose           bool
	}{
		{"keywords:existence", `{"keywords":["Boat","pier"]}`, "a boat at the PIER", true, true},
		{"keywords:frequency", `{"keyword":"boat","frequency":2,"relation":"at least"}`, "Boats and boats", true, true},
		{"keywords:forbidden_words", `{"forbidden_words":["boat"]}`, "boats", true, true},
		{"keywords:letter_frequency", `{"letter":"A","let_frequency":3,"let_relation":"less than"}`, "Aa b", true, true},
		{"language:response_language", `{"language":"de"}`, "Heute gehen wir mit den Kindern in den Garten.", true, true},
		{"language:response_language", `{"language":"de"}`, "1234", true, true},
		{"length_constraints:number_sentences", `{"num_sentences":3.0,"relation":"less than"}`, "One. Two.", true, true},
		{"length_constraints:number_paragraphs", `{"num_paragraphs":2}`, "One.\n\n***\n\nTwo.", true, true},
		{"length_constraints:number_words", `{"num_words":3,"relation":"at least"}`, "one two", false, false},
		{"length_constraints:nth_paragraph_first_word", `{"num_paragraphs":2,"nth_paragraph":2,"first_word":"then"}`, "One.\n\n\"Then, two.", true, true},
		{"detectable_content:number_placeholders", `{"num_placeholders":1}`, "to [name]", true, true},
		{"detectable_content:postscript", `{"postscript_marker":"P.S."}`, "Text\np. s. more", true, true},
		{"detectable_format:number_bullet_lists", `{"num_bullets":2}`, "Here:\n* one\n- two", true, true},
		{"detectable_format:constrained_response", `{}`, "My answer is *yes.*", false, true},
		{"detectable_format:number_highlighted_sections", `{"num_highlights":2}`, "*a* and ** **", false, false},
		{"detectable_format:multiple_sections", `{"section_spliter":"Part","num_sections":2}`, "Part 1 a\nPart2 b", true, true},
		{"detectable_format:json_format", `{}`, "```json\n{\"a\": [NaN, -Infinity, \"NaN\\\"\"]}\n```", true, true},
		{"detectable_format:json_format", `{}`, "Sure:\n{\"a\": 1}", false, true},
		{"detectable_format:json_format", `{}`, "-NaN", false, false},
		{"detectable_format:title", `{}`, "<<A>>", true, true},
		{"combination:two_responses", `{}`, "one****** two", true, true},
		{"combination:repeat_prompt", `{"prompt_to_repeat":"Say it"}`, "Sure!\nsay it: no", false, true},
		{"startend:end_checker", `{"end_phrase":"Bye."}`, "\"Well. bye.\"", true, true},
		{"startend:quotation", `{}`, "\"a\" *", false, true},
		{"change_case:capital_word_frequency", `{"capital_frequency":2,"capital_relation":"at least"}`, "THE BOAT. it's", true, true},
		{"change_case:english_capital", `{}`, "THE CHILDREN WALK TO THE MARKET AND COME BACK HOME.", true, true},
		{"change_case:english_lowercase", `{}`, "Sure!\nthe children walk to the market and come back home.", false, true},
		{"punctuation:no_comma", `{}`, "Well, sure!\nno comma", false, true},
		{"punctuation:no_comma", `{}`, " \n", false, false},
	} {
		doc := `{"instruction_id_list":["` + c.name + `"],"kwargs":[` + c.options + `]}`
		v, err := scorers["ifeval"].Each(&Row{Doc: json.RawMessage(doc), Responses: []string{c.response}})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		} else if v["prompt_level_strict_acc"] != c.strict || v["prompt_level_loose_acc"] != c.loose {
			t.Errorf("%s of %q: %v, want strict %v and loose %v", c.name, c.response, v, c.strict, c.loose)
		}
	}
	for doc, want := range map[string]string{
		`{"instruction_id_list":["startend:song"],"kwargs":[{}]}`:                                               "no instruction",
		`{"instruction_id_list":["startend:end_checker"],"kwargs":[{"end_phrase":null}]}`:                       "no end_phrase",
		`{"instruction_id_list":["keywords:existence"],"kwargs":[]}`:                                            "the kwargs of 0",
		`{"instruction_id_list":["keywords:existence"],"kwargs":[{"keywords":["("]}]}`:                          "the pattern",
		`{"instruction_id_list":["detectable_format:title","keywords:existence"],"kwargs":[{},{"keywords":3}]}`: "keywords is 3",
	} {
		_, err := scorers["ifeval"].Each(&Row{Doc: json.RawMessage(doc), Responses: []string{"a"}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", doc, err, want)
		}
	}
}
