package tokens

import "slices"

// pack puts documents of at most T tokens whole into as few instances as best-fit
// decreasing finds: the longest first, each into an instance with the least room that
// suffices, of several the one that has waited longest. Equally long documents keep
// their order. It returns the documents in the order of the instances, and where each
// instance ends.
//
// Ding et al. 2024 (arXiv:2404.10830); InstancePacker of OLMo-core
// (src/olmo_core/data/utils.py) does the same, but for the order of equally long
// documents, which NumPy's argsort leaves to the processor there.
func pack(docs []part, T int) (parts []part, ends []int) {
	slices.SortStableFunc(docs, func(a, b part) int { return int(b.n - a.n) })
	// rooms[r] are the instances with room for r more tokens, a queue.
	rooms := make([][]int32, T+1)
	var bins [][]part
	for _, doc := range docs {
		room := int(doc.n)
		for room <= T && len(rooms[room]) == 0 {
			room++
		}
		var bin int32
		if room > T {
			room, bin = T, int32(len(bins))
			bins = append(bins, nil)
		} else {
			bin, rooms[room] = rooms[room][0], rooms[room][1:]
		}
		bins[bin] = append(bins[bin], doc)
		room -= int(doc.n)
		rooms[room] = append(rooms[room], bin)
	}
	for _, b := range bins {
		parts = append(parts, b...)
		ends = append(ends, len(parts))
	}
	return parts, ends
}
