package eval

import (
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
	fields := map[string]any{"alias": g.Alias, "name": g.Name}
	if g.Alias == "" {
		fields["alias"] = g.Name
	}
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
	res.Groups[g.Name], res.Results[g.Name], res.GroupSubtasks[g.Name] = fields, fields, g.Members
	slices.Sort(missing)
	return slices.Compact(missing)
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
