package model

// Scalings are the types of scaled rotations that files name.
var Scalings = scalings

// Families lists the names of the known families.
func Families() []string {
	var names []string
	for _, f := range families {
		names = append(names, f.name)
	}
	return names
}
