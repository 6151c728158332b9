package command

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"storj/roles/satellite"
)

// Variables by which tests with real processes have hours pass in seconds. They are no settings: nobody who runs a network
// wants them, and a satellite whose garbage skew is short may have nodes delete what is being uploaded.
const (
	// tuneVariable changes satellite.Tune: name=value with commas between them, as in tuneFields.
	tuneVariable = "STORJ_TEST_TUNE"
	// clockVariable is how far the clock of a node goes ahead; negative: behind.
	clockVariable = "STORJ_TEST_CLOCK"
)

// tuneFields are the durations of a Tune that tests change.
func tuneFields(t *satellite.Tune) map[string]*time.Duration {
	return map[string]*time.Duration{
		"loop": &t.LoopInterval, "look": &t.LookInterval, "chores": &t.ChoreInterval, "retry": &t.AuditRetry,
		"gc": &t.GarbageInterval, "skew": &t.GarbageSkew, "tally": &t.TallyInterval, "sample": &t.SampleInterval,
	}
}

// rehearseTune changes tune as the process that started this one wants it.
func (a *app) rehearseTune(tune *satellite.Tune) error {
	text := a.env.getenv(tuneVariable)
	if text == "" {
		return nil
	}
	fields := tuneFields(tune)
	for entry := range strings.SplitSeq(text, ",") {
		name, value, _ := strings.Cut(entry, "=")
		var err error
		switch field := fields[name]; {
		case name == "audits":
			tune.AuditsPerDay, err = strconv.ParseFloat(value, 64)
		case field == nil:
			err = fmt.Errorf("there is no %q", name)
		default:
			*field, err = time.ParseDuration(value)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", tuneVariable, err)
		}
	}
	return nil
}

// rehearseClock returns the clock of a node; nil: the machine's.
func (a *app) rehearseClock() (func() time.Time, error) {
	text := a.env.getenv(clockVariable)
	if text == "" {
		return nil, nil
	}
	offset, err := time.ParseDuration(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", clockVariable, err)
	}
	return func() time.Time { return time.Now().Add(offset) }, nil
}
