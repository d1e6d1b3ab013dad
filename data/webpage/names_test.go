package webpage

import (
	"strings"
	"testing"
)

// What the names of classes say, with and without joints between their words, and
// what only looks like one of them.
func TestNames(t *testing.T) {
	for _, c := range []struct {
		names string
		want  marks
	}{
		{"site-header l_header page-header-wrap full-header-wrapper stickyheader global-header-bar", headerName},
		{"headers my-header header header- -header header-note headline", 0},
		{"footer site-footer page_footer global-footer-wrap copyright cookie-banner consent-notice legal footer-bar", footerName},
		{"footnote my-footer footer-note", 0},
		{"nav navbar nav-bar main-nav site-navigation sub_nav_menu article-nav menu menu-item dropdown breadcrumbs site-breadcrumb link-bar linksbox page-links-list", navName},
		{"navy my-nav nav-x links", 0},
		{"search search-bar searchbox search_facility", searchName},
		{"sidebar sticky-bar l-sidebar global_sidebox onethird", sidebarName},
		{"my-sidebar sidebar-x", 0},
		{"modal modal-window wp-popup lightbox_pane p-modal-box", modalName},
		{"gallery carousel", galleryName},
		{"hidden is-hidden visually-hidden invisible collapsed h0 hidden-xs is_collapsed_2xl", hiddenName},
		{"unhidden hidden-x", 0},
		{"article entry post-x my-story content x-text page_9", articleName},
		{"trending my-recommended related relatedlinks related-articles x_related_stories", relatedName},
		{"login sign-in x-signup user_info user-profile-x my-account", signInName},
		{"advert google-ad googleads-x wide-ad sponsored-x promoted banner paid-thing donate-now ad", adName},
		{"my-ad ad-x x-banner adverse bad -ad", 0},
		{"ad_1a2b ad_00 ad_f", adName},
		{"ad_x1 ad-1a2b", 0},
		{"logo site-logo sitelogo", logoName},
		{"logos logo-x", 0},
		{"print-only print_x", printName},
		{"print printer-x", 0},
		{"spinner x-loadspinner-y short-view-count short-view-count-7", junkName},
		{"social share-buttons sharedaddy facebook follow-icon mobile-share x--share l-newsletter-link subscribe_target", socialName},
		{"x-share sharepoint my-facebook", 0},
		{"skip skip-link skip-to next prev-post next-article link-previous pagination skip-to-main-content", skipName},
		{"nextbar my-next", 0},
		{"main-content articleBody single-post", bodyName},
		{"Main-Contents articlebodies", 0},
	} {
		for name := range strings.FieldsSeq(c.names) {
			m := marksOf(name) &^ landmarkName
			if c.want == 0 && m != 0 || c.want != 0 && !m.has(c.want) {
				t.Errorf("%s says %b, want %b", name, m, c.want)
			}
		}
	}
	for id, want := range map[string]bool{"header": true, "site-footer": true, "page_foot": true, "l-right": true, "HEAD": true, "wp-global-header": false, "headers": false, "my-header": false, "left": false} {
		if got := marksOf(id).has(landmarkName); got != want {
			t.Errorf("the id %s is a landmark: %v, want %v", id, got, want)
		}
	}
	// Of several classes each counts; ad alone only as the last.
	if m := marksOf("x nav y logo"); !m.has(navName) || !m.has(logoName) || m.has(adName) {
		t.Errorf("several classes say %b", m)
	}
	if marksOf("ad x").has(adName) || !marksOf("x ad").has(adName) {
		t.Error("ad counts as the last of the classes, and there alone")
	}
	var c classifier
	for range 2 { // also when it is remembered
		if m := c.of("nav", "header"); !m.has(navName) || !m.has(landmarkName) {
			t.Errorf("class and id together say %b", m)
		}
		if c.of("", "") != 0 {
			t.Error("no name says something")
		}
	}
}
