package numeric

// Contract numbers the definitions of docs/numerics.md: programs of one number give the same bits.
// A change of what any operation gives raises it.
const Contract = 1
