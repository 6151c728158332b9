package config

// nearest returns the name most like word, or "" when none is like it: at most a third of its letters differ.
func nearest(word string, names []string) string {
	best, bestDistance := "", len(word)/3+1
	if len(word) > maxNameBytes {
		return ""
	}
	for _, name := range names {
		if d := distance(word, name); d < bestDistance {
			best, bestDistance = name, d
		}
	}
	return best
}

// maxNameBytes bounds the names that are compared: the comparison is quadratic.
const maxNameBytes = 100

// distance is the number of letters to insert, delete or replace that make b of a (Levenshtein 1965).
func distance(a, b string) int {
	row := make([]int, len(b)+1) // distances of a's prefix to every prefix of b
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
