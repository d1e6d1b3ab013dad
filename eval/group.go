package eval

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strings"
)

// Group is several tasks under one name, with the figures that they come to together.
type Group struct {
	Name, Alias string
	Version     string
	Members     []string // tasks and groups, by the names of their jobs
	Aggregate   []GroupMetric
}

// GroupMetric is a figure of a group: the mean of its tasks'.
type GroupMetric struct {
	Metric  string
	Filters []string // nil: every one that a task has
	BySize  bool     // documents weigh alike, not tasks
}

// tasksOf lists the tasks below a group.
func (g *Group) tasksOf(groups map[string]*Group) (tasks []string) {
	for _, name := range g.Members {
		if below, ok := groups[name]; ok && below != g {
			tasks = append(tasks, below.tasksOf(groups)...)
		} else if !slices.Contains(tasks, name) {
			tasks = append(tasks, name)
		}
	}
	return tasks
}

// addGroup computes a group's figures from those of its tasks (lm-eval 0.4.13, api/group.py,
// Group.aggregate). A task that lacks the figure is left out of it, and missing names it.
func (res *Results) addGroup(g *Group, groups map[string]*Group) (missing []string) {
	fields := map[string]any{"alias": cmp.Or(g.Alias, g.Name), "name": g.Name}
	tasks := g.tasksOf(groups)
	counts := map[string]int{}
	n := 0
	for _, t := range tasks {
		n += res.Samples[t].Effective
	}
	if len(g.Aggregate) > 0 {
		fields["sample_len"] = n
	}
	for _, a := range g.Aggregate {
		filters := a.Filters
		if filters == nil {
			filters = res.filtersOf(a.Metric, tasks)
		}
		for _, f := range filters {
			var values, errors, sizes []float64
			for _, t := range tasks {
				v, ok := res.Results[t][a.Metric+","+f].(float64)
				if !ok {
					missing = append(missing, t)
					continue
				}
				values, sizes = append(values, v), append(sizes, float64(res.Samples[t].Effective))
				if e, ok := res.Results[t][a.Metric+"_stderr,"+f].(float64); ok {
					errors = append(errors, e)
				}
			}
			if len(values) == 0 {
				continue
			}
			key := a.Metric + "," + f
			fields[key], fields[a.Metric+"_stderr,"+f] = meanOf(values, sizes, a.BySize), "N/A"
			for _, s := range sizes {
				counts[key] += int(s)
			}
			if len(errors) == len(values) {
				fields[a.Metric+"_stderr,"+f] = finite(meanError(errors, sizes, a.BySize))
			}
		}
	}
	if len(counts) > 0 {
		fields["sample_count"] = counts
	}
	res.Results[g.Name], res.GroupSubtasks[g.Name], res.Versions[g.Name] = fields, g.Members, g.Version
	if delete(res.Groups, g.Name); len(g.Aggregate) > 0 {
		res.Groups[g.Name] = fields
	}
	res.common(g, groups)
	slices.Sort(missing)
	return slices.Compact(missing)
}

// common gives a group the shots and the directions that its own tasks agree on; groups in it do not
// count (evaluator_utils.py, _propagate_num_fewshot and _propagate_higher_is_better).
func (res *Results) common(g *Group, groups map[string]*Group) {
	var shots []int
	higher := map[string]bool{}
	apart := map[string]bool{}
	for _, name := range g.Members {
		if groups[name] != nil {
			continue
		}
		if n, ok := res.Shots[name]; ok {
			shots = append(shots, n)
		}
		for metric, up := range res.Higher[name] {
			if before, ok := higher[metric]; ok && before != up {
				apart[metric] = true
			}
			higher[metric] = up
		}
	}
	maps.DeleteFunc(higher, func(metric string, _ bool) bool { return apart[metric] })
	if delete(res.Higher, g.Name); len(higher) > 0 {
		res.Higher[g.Name] = higher
	}
	if delete(res.Shots, g.Name); len(slices.Compact(shots)) == 1 {
		res.Shots[g.Name] = shots[0]
	}
}

// filtersOf lists the filters of a metric's figures, sorted.
func (res *Results) filtersOf(metric string, tasks []string) (filters []string) {
	for _, t := range tasks {
		for name := range res.Results[t] {
			if f, ok := strings.CutPrefix(name, metric+","); ok {
				filters = append(filters, f)
			}
		}
	}
	slices.Sort(filters)
	return slices.Compact(filters)
}

func meanOf(values, sizes []float64, bySize bool) float64 {
	var sum, n float64
	for i, v := range values {
		w := 1.0
		if bySize {
			w = sizes[i]
		}
		sum += float64(v * w)
		n += w
	}
	return sum / n
}

// meanError is the standard error of such a mean: pooled over all documents, or of a mean of
// means (api/metrics.py, pooled_sample_stderr and unweighted_mean_stderr).
func meanError(errors, sizes []float64, bySize bool) float64 {
	var sum, n float64
	for i, e := range errors {
		if bySize {
			sum += float64((sizes[i] - 1) * e * e * sizes[i])
			n += sizes[i]
		} else {
			sum += float64(e * e)
		}
	}
	k := float64(len(errors))
	if !bySize {
		return math.Sqrt(sum) / k
	}
	return math.Sqrt(sum / (n - k) / n)
}
