package store

import (
	"testing"
)

// TestEndpoints: without settings requests go to Amazon and Google, encrypted; an
// endpoint's own scheme counts.
func TestEndpoints(t *testing.T) {
	home := t.TempDir()
	for _, key := range []string{"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "STORAGE_EMULATOR_HOST", "GS_ACCESS_KEY_ID"} {
		t.Setenv(key, "")
	}
	t.Setenv("HOME", home)
	t.Setenv("USERPROFILE", home)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	for _, c := range []struct{ name, scheme, endpoint, want string }{
		{"Amazon", "s3", "", "https://s3.amazonaws.com"},
		{"Google", "gs", "", "https://storage.googleapis.com"},
		{"a server of one's own", "s3", "http://localhost:9000", "http://localhost:9000"},
		{"the same, encrypted", "s3", "https://minio.example.org", "https://minio.example.org"},
		{"a name alone", "s3", "minio.example.org", "http://minio.example.org"},
		{"no address", "s3", "http://", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("AWS_ENDPOINT_URL", c.endpoint)
			got := ""
			core, err := client(c.scheme)
			if err == nil {
				got = core.EndpointURL().String()
			}
			if got != c.want || (err != nil) != (c.want == "") {
				t.Errorf("requests go to %q, %v; want %q", got, err, c.want)
			}
		})
	}
}
