package tokenizer

// refusal is a text that a tokenizer has no ids for. What finds it is deep in
// the work on the text and panics with it; Encode and AppendEncode return it.
type refusal struct{ error }

// refused stores the error of a refusal that ends a function.
func refused(err *error) {
	switch r := recover().(type) {
	case nil:
	case refusal:
		*err = r.error
	default:
		panic(r)
	}
}
