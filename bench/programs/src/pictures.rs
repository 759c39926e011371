//! Makes thumbnails of a large picture and stores them, with `image`.

use crate::hash;
use image::imageops::FilterType;
use image::{DynamicImage, ImageFormat};
use std::io::Cursor;
use std::path::Path;

pub fn thumbnails(picture: &Path) -> u64 {
    let bytes = std::fs::read(picture).expect("the driver wrote a picture");
    let picture =
        image::load_from_memory_with_format(&bytes, ImageFormat::Pnm).expect("a PNM picture");
    drop(bytes);
    let stored = store(&picture, ImageFormat::Jpeg);
    let mut sum = hash(&stored);
    for width in [1200, 800, 400, 200, 100, 50] {
        // Decoded each time, like a new photo.
        let original = image::load_from_memory_with_format(&stored, ImageFormat::Jpeg)
            .expect("it was just written");
        let small = original.resize(width, width, FilterType::Triangle);
        let turned = small.rotate90().blur(1.5).fliph();
        for format in [ImageFormat::Png, ImageFormat::Jpeg] {
            sum = sum.rotate_left(1) ^ hash(&store(&turned, format));
        }
    }
    sum
}

fn store(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut stored = Cursor::new(Vec::new());
    picture
        .write_to(&mut stored, format)
        .expect("memory takes everything");
    stored.into_inner()
}
